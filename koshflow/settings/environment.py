"""The variables of this process, read once. One that is wrong, or weak in production, ends it here."""

from pathlib import Path

from koshflow.env import read_environment
from koshflow.refusal import ConfigurationError
from koshflow.settings.guard import mistakes, unreadable, weaknesses

ENV = read_environment()
ENVIRONMENT: str = ENV["KOSHFLOW_ENV"]
if found := unreadable(ENV) or mistakes(ENV) + (weaknesses(ENV) if ENVIRONMENT == "production" else []):
    raise ConfigurationError(found)
DATA_DIR = Path(ENV["KOSHFLOW_DATA_DIR"])
