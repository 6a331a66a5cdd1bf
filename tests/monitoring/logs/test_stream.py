"""What nobody caught is a line of the log too."""

import json
import os
import tempfile
from unittest import TestCase

import pytest

from tests import warm
from tests.koshflow.servers import an_environment

pytestmark = pytest.mark.embedded


class Uncaught(TestCase):
    """A process that serves ends, or loses a thread, with one line that quotes nothing."""

    def test_of_the_process_and_of_a_thread(self):
        code = (
            "import threading, django; from monitoring.logs import begin_serving; begin_serving(); django.setup()\n"
            "def fail(): raise RuntimeError('DETAIL: Key (email)=(asha@lotus.example.in) exists\\nforged')\n"
            "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
        )
        with tempfile.TemporaryDirectory() as home:
            settings = {"KOSHFLOW_ENV": "local", "DJANGO_SETTINGS_MODULE": "koshflow.settings"}
            ended = warm.python(["-c", code], an_environment(home, **settings, LOG_DIR=os.path.join(home, "logs")))
            with open(os.path.join(home, "logs", "koshflow.log")) as log:
                lines = [json.loads(line) for line in log]
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (1, "", ""))
        self.assertEqual([line["event"] for line in lines], ["failure_uncaught"] * 2)
        self.assertEqual(lines[1]["error"], "DETAIL: [redacted]")
