"""The WSGI door. Loads the whole application at start, so that the first request does not pay for it."""

import os
from importlib import import_module

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from monitoring.logs import begin_serving

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
begin_serving()
django.setup(set_prefix=False)

# All of these after setup(), before which models are not loaded.
from koshflow import unreadable  # noqa: E402
from monitoring.alerts import OutageWatch  # noqa: E402
from monitoring.database import start_flusher  # noqa: E402
from monitoring.errors import start_error_flusher, start_sentry  # noqa: E402
from monitoring.health import board  # noqa: E402
from monitoring.rollups import start_flushing  # noqa: E402

# Only one of the two schedules: a laptop need not load procrastinate.
if settings.IS_POSTGRESQL:
    from koshflow.database_waits import bound_waits
    from koshflow.hints import connect_hints as start_schedule

    bound_waits()
else:
    from koshflow.embedded import start_embedded_schedule as start_schedule


class Application(WSGIHandler):
    """Django's handler, which also knows what starts in the process that serves, and what to say to a request that
    the server could not hand to it.
    """

    refuse = staticmethod(unreadable.refuse)

    def after_fork(self) -> None:
        """Look whether it can serve. Start the schedule, or connect to it, and what brings counts and statements to the
        database, and failures to Sentry too.

        The server calls it once, in each process that answers requests, before it takes any.
        """
        board.look()
        start_schedule()
        start_flushing(role="server", watch=OutageWatch())
        start_flusher()
        start_error_flusher()
        start_sentry()


application = Application()
import_module(settings.ROOT_URLCONF)
