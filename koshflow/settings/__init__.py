"""Settings of the running process: the base, then the loosenings of `local` or `test`, each with its reason."""

from koshflow.settings.base import *  # noqa: F403
from koshflow.settings.environment import ENVIRONMENT

if ENVIRONMENT == "local":
    from koshflow.settings.local import *  # noqa: F403
elif ENVIRONMENT == "test":
    from koshflow.settings.testing import *  # noqa: F403
