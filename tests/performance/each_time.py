"""The product's settings, but with a new connection to the database for each request, as Django has it by default."""

from koshflow.settings import *  # noqa: F403
from koshflow.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 0
