"""What gunicorn itself has to say reaches whoever operates it."""

import io
import logging
from unittest import TestCase, mock

import pytest
from gunicorn.config import Config

from koshflow import gunicorn_conf
from monitoring.logs import JsonFormatter  # as in every worker: it has records leave their process out

pytestmark = pytest.mark.embedded


class OwnLines(TestCase):
    """Its lines are few, plain, and whole: a worker that cannot start says why."""

    def test_a_worker_that_cannot_start(self):
        self.assertFalse(logging.logProcesses, JsonFormatter)
        config = Config()
        for name, value in vars(gunicorn_conf).items():
            if name in config.settings:
                config.set(name, value)
        log = logging.getLogger("gunicorn.error")
        kept = log.handlers[:], log.level, log.propagate
        self.addCleanup(lambda: vars(log).update(zip(("handlers", "level", "propagate"), kept, strict=True)))
        with mock.patch("sys.stderr", new_callable=io.StringIO) as stream:
            config.logger_class(config).error("Worker failed: %s", "no port")
        self.assertRegex(stream.getvalue(), r"\A\[[-+: \d]+\] \[ERROR\] Worker failed: no port\n\Z")
