"""`python -m koshflow.worker`: runs the schedule on PostgreSQL, on as many hosts as you like.

Ends with 0 when asked to stop, and also when PostgreSQL goes away: let the supervisor always restart it. Ends
with 78 where it cannot run at all.
"""

import logging
import os

import django
from django.conf import settings

from koshflow.refusal import EX_CONFIG, leave, plain_words
from monitoring.logs import begin_serving

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    with plain_words():
        if not settings.IS_POSTGRESQL:
            leave(
                EX_CONFIG,
                "the worker needs PostgreSQL (DATABASE_URL); on SQLite the server runs the schedule.",
            )
        begin_serving()
        django.setup(set_prefix=False)
        # Two lines for each slot would say nothing that the rows do not.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)

        from koshflow.hints import hint
        from koshflow.jobs import build_app
        from koshflow.schedule import SEALING, announce
        from koshflow.seal_watch import SealWatch
        from monitoring.database import start_flusher
        from monitoring.errors import start_error_flusher, start_sentry
        from monitoring.metrics import slots
        from monitoring.rollups import start_flushing

        slots.lease()  # what it counts stands in /metrics of the servers beside it
        start_flushing(role="worker")
        SealWatch(lambda: hint(SEALING)).start()
        start_flusher()
        start_error_flusher()
        announce()
        start_sentry()
        build_app().run_worker()
