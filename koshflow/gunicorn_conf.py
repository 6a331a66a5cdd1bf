"""How gunicorn serves: `gunicorn -c python:koshflow.gunicorn_conf koshflow.wsgi`.

The address comes from HOST and PORT, the size from WEB_WORKERS and WEB_THREADS. Access logging stays off: the
product logs each request itself, with its id.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import gunicorn
from django.conf import settings
from django.utils.log import configure_logging
from gunicorn.glogging import Logger

from koshflow.drain import drain_before_the_end
from koshflow.instance import server_lock
from koshflow.refusal import EX_CONFIG, FOLDER_IN_USE, STORES_NOT_SHARED, leave, plain_words
from monitoring.metrics import slots

# Answers carry the bare name; the version would only tell an attacker which fault to try.
gunicorn.SERVER = gunicorn.SERVER_SOFTWARE = "KoshFlow"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
with plain_words():
    workers: int = settings.WEB_WORKERS

bind = [f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"]
worker_class = "koshflow.gunicorn_worker.DrainingWorker"
threads = settings.WEB_THREADS
# Loaded before the fork, the code is shared by all workers. One worker alone would only pay for it twice.
preload_app = workers > 1
# The embedded server never recycles its only process: nobody would answer meanwhile.
max_requests = 20_000 if workers > 1 else 0
max_requests_jitter = 2_000 if workers > 1 else 0
timeout = 30
graceful_timeout = 15
# Longer than the minute for which proxies keep idle connections: the proxy must be the one that closes.
keepalive = 75
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# Whose X-Forwarded-Proto is believed; gunicorn's default would believe every program on this machine.
forwarded_allow_ips = ",".join(settings.TRUSTED_PROXIES)
# gunicorn would let a header SCRIPT_NAME that a proxy passes on cut our paths, past the proxy's rules for them.
forwarder_headers = ""
control_socket_disable = True
# os.sendfile waits without end for a client that does not read (see DrainingWorker); sendall does not.
sendfile = False
accesslog = None
errorlog = "-"
logger_class = "koshflow.gunicorn_conf.ErrorLog"
loglevel = "warning"
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # nosec


class ErrorLog(Logger):
    """gunicorn's own lines, of a worker that was killed for instance, stand in our log. A person at a terminal reads
    them as they are.
    """

    # The stock form asks each record for its process: our log has that left out of all of them.
    error_fmt = "%(asctime)s [%(levelname)s] %(message)s"

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if not sys.stderr.isatty():
            # The master of one worker loads no application, which would have done it. Once: what listens to the log
            # as well would be gone after a reload.
            if not logging.getLogger().handlers:
                configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
            self.error_log.handlers.clear()
            self.error_log.propagate = True


_is_shared = settings.IS_POSTGRESQL and settings.IS_CACHE_SHARED
_lock = server_lock(settings.DATA_DIR)


def on_starting(server: Any) -> None:
    """Refuse to start where two processes would not share what they must: one line, exit 78."""
    if server.cfg.workers > 1 and not _is_shared:
        leave(EX_CONFIG, STORES_NOT_SHARED)
    if not settings.IS_CACHE_SHARED and not _lock.acquire():
        leave(EX_CONFIG, FOLDER_IN_USE.format(folder=settings.DATA_DIR))
    slots.begin()


def when_ready(server: Any) -> None:
    """Have SIGTERM make this host unready first, where a balancer is given time to see it."""
    if settings.DRAIN_SECONDS:
        drain_before_the_end(server, seconds=settings.DRAIN_SECONDS)


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """Hold the one worker against SIGTTIN, which would add a second beside its in-process cache."""
    if new_value > 1 and old_value is not None and not _is_shared:
        server.log.error("A second worker needs PostgreSQL and Redis; staying with one.")
        server.num_workers = 1


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Take the worker's slot of the metrics before the application counts anything."""
    slots.lease()


def post_worker_init(worker: Any) -> None:
    """Start what ticks inside the server, now that this is the process that stays."""
    worker.wsgi.after_fork()


def on_exit(server: Any) -> None:  # noqa: ARG001
    """Say that it is over, after the last request: whoever pressed Ctrl+C may close the terminal."""
    sys.stderr.write("KoshFlow stopped.\n")
    sys.stderr.flush()
