"""What gunicorn itself has to say reaches whoever operates it."""

import io
import json
import logging
from unittest import TestCase, mock

import pytest
from gunicorn.config import Config

from koshflow import gunicorn_conf
from monitoring.logs import JsonFormatter  # as in every worker: it has records leave their process out

pytestmark = pytest.mark.embedded


class OwnLines(TestCase):
    """Its lines are few, and whole: a worker that cannot start says why."""

    def said(self, stream: io.StringIO) -> str:
        self.assertFalse(logging.logProcesses, JsonFormatter)
        config = Config()
        for name, value in vars(gunicorn_conf).items():
            if name in config.settings:
                config.set(name, value)
        for name in ("gunicorn.error", None):
            log = logging.getLogger(name)
            kept = {part: vars(log)[part] for part in ("level", "propagate")} | {"handlers": log.handlers[:]}
            self.addCleanup(vars(log).update, kept)
        logging.getLogger().handlers.clear()  # as in a master that has loaded no application
        with mock.patch("sys.stderr", stream):
            config.logger_class(config).error("Worker failed: %s", "no port")
        return stream.getvalue()

    def test_in_our_log(self):
        line = json.loads(self.said(io.StringIO()))
        self.assertEqual((line["level"], line["logger"]), ("ERROR", "gunicorn.error"))
        self.assertEqual(line["event"], "Worker failed: no port")

    def test_on_a_terminal(self):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        self.assertRegex(self.said(terminal), r"\A\[[-+: \d]+\] \[ERROR\] Worker failed: no port\n\Z")
