"""The schedule on procrastinate, whose tables make a slot run once on any number of hosts. PostgreSQL only.

Measured on procrastinate 3.10: every slot once with two workers, late by half a second; a hint wakes a worker
in 4 to 7 ms.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from procrastinate import App
from procrastinate.contrib.django import DjangoApp
from procrastinate.contrib.django import app as django_app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import Status

from koshflow.schedule import SCHEDULE, Entry, run_counted

logger = logging.getLogger("koshflow.schedule")

HEARTBEAT_SECONDS = 10
STALLED_SECONDS = 30
RECOVERY = "recover_stalled"
FORGETTING = "forget_failed"
FAILED_KEPT_HOURS = 7 * 24
# A slot missed by less than a day is made up for. The library's ten minutes would skip a nightly slot for
# good when the workers were down at that time.
MAX_DELAY_SECONDS = 86_400


def build_app(entries: Sequence[Entry] = SCHEDULE) -> App:
    """An app whose periodic tasks are `entries`, for a worker process."""
    app = DjangoApp(
        connector=DjangoConnector(alias=DEFAULT_DB_ALIAS).get_worker_connector(),
        periodic_defaults={"max_delay": MAX_DELAY_SECONDS},
        worker_defaults={
            # A slow delivery must not hold up the rest of the table.
            "concurrency": 4,
            "delete_jobs": "successful",
            "update_heartbeat_interval": HEARTBEAT_SECONDS,
            "stalled_worker_timeout": STALLED_SECONDS,
            "shutdown_graceful_timeout": 15,
        },
    )
    for entry in entries:
        # One at a time (lock), and at most one waiting (queueing lock), on the whole cluster.
        task = app.task(name=entry.name, lock=entry.name, queueing_lock=entry.name)(_job(entry))
        app.periodic(cron=entry.cron)(task)
    recovery = app.task(name=RECOVERY, queueing_lock=RECOVERY)(_recovery(app))
    app.periodic(cron="* * * * * */10")(recovery)
    forgetting = app.task(name=FORGETTING, queueing_lock=FORGETTING)(_forgetting(app))
    app.periodic(cron="50 20 * * * 23")(forgetting)
    return app


def _job(entry: Entry) -> Callable[..., None]:
    def job(timestamp: int = 0) -> None:  # noqa: ARG001 - the slot's time; functions keep their own state
        run_counted(entry)

    return job


def _recovery(app: App) -> Callable[..., Any]:
    async def recover(timestamp: int = 0) -> None:  # noqa: ARG001
        """Give up jobs of workers that died: their locks would block those functions for ever.

        They are failed, not retried: a retry meets its own queueing lock, and the next slot does the work
        anyway.
        """
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            logger.warning("schedule_job_recovered", extra={"entry": job.task_name})
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)

    return recover


def _forgetting(app: App) -> Callable[..., Any]:
    async def forget(timestamp: int = 0) -> None:  # noqa: ARG001
        """Delete failed jobs once they are a week old; successful ones go at once."""
        await app.job_manager.delete_old_jobs(nb_hours=FAILED_KEPT_HOURS, include_failed=True)

    return forget


def defer_now(name: str) -> None:
    """Queue entry `name` now, from a serving process.

    Raises AlreadyEnqueued where it waits already (inside a transaction that would be lost with it, so call it
    on commit), ConnectorException where the database refuses.
    """
    django_app.configure_task(name, lock=name, queueing_lock=name).defer()
