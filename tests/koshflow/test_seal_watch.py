"""A thousand events are sealed within about a second, on both forms, without a request that counts them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase, mock

import pytest
from django.test import TestCase as DatabaseTestCase

from koshflow.seal_watch import SealWatch
from security.audit import Action, record
from security.tlog import seal_pending, sealing
from tests.koshflow.servers import ROOT, Launch, an_environment, until
from tests.services import postgres, redis

WITHIN_SECONDS = 4.0  # one for the look, one for the worker, and room for a machine that does other things too
# Recorded just after a slot, so that the next one is too late to be what sealed them.
_RECORD = """
import json, sys, time, django
django.setup()
from django.db import transaction
from security.audit import Action, AuditEvent, record
while AuditEvent.objects.filter(tree_index=None).exists(): time.sleep(0.2)
while not 0.5 < time.time() % 10 < 1.5: time.sleep(0.05)
began = []
with transaction.atomic():
    transaction.on_commit(lambda: began.append(time.monotonic()))
    for _ in range(int(sys.argv[1])): record(Action.KEYS_ADDED)
while time.monotonic() - began[0] < 6 and AuditEvent.objects.filter(tree_index=None).exists(): time.sleep(0.02)
print(json.dumps({"seconds": time.monotonic() - began[0], "left": AuditEvent.objects.filter(tree_index=None).count()}))
"""


class Watching(DatabaseTestCase):
    """It asks once for each batch, and for none that is not full."""

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(self.settings(AUDIT_SIGNER_DIR=Path(folder) / "signer"))
        self.enterContext(mock.patch.object(sealing, "FULL", 3))
        self.asked = []
        self.watch = SealWatch(self.ask)

    def ask(self):
        self.asked.append("seal")

    def act(self, times):
        for _ in range(times):
            record(Action.KEYS_ADDED)

    def test_fewer_wait_for_the_slot(self):
        self.act(2)
        self.watch.work()
        self.assertEqual(self.asked, [])

    def test_once_for_each_batch(self):
        self.act(3)
        for _ in range(3):
            self.watch.work()  # nobody has sealed: it is not asked for each second
        self.assertEqual(len(self.asked), 1)
        seal_pending()
        self.watch.work()
        self.act(4)
        self.watch.work()
        self.assertEqual(len(self.asked), 2)

    def test_a_look_is_one_statement(self):
        self.act(4)
        with self.assertNumQueries(1):
            self.watch.work()


class FullBatch(TestCase):
    """At an installation as it runs."""

    def seconds_until_sealed(self, home: Path, *, events: int, **stores: str) -> dict[str, float]:
        environment = an_environment(home / "var", **stores)
        with Launch(environment, home / "log") as launch:
            launch.until_it_answers()
            until((home / "var" / "audit-log" / "signed.json").exists, what="the first seal")
            ended = subprocess.run(
                [sys.executable, "-c", _RECORD, str(events)],
                cwd=ROOT,
                env=environment | {"KOSHFLOW_ENV": "local", "DJANGO_SETTINGS_MODULE": "koshflow.settings"},
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            self.assertEqual(ended.returncode, 0, ended.stderr[-2000:])
        told = json.loads(ended.stdout.splitlines()[-1])
        print(json.dumps({"events": events, **told}), flush=True)
        return told

    @pytest.mark.embedded
    @pytest.mark.timeout(180)
    def test_embedded(self):
        with tempfile.TemporaryDirectory() as home:
            full = self.seconds_until_sealed(Path(home), events=1_000)
            self.assertEqual(full["left"], 0)
            self.assertLess(full["seconds"], WITHIN_SECONDS)
            fewer = self.seconds_until_sealed(Path(home), events=900)
            self.assertEqual(fewer["left"], 900)

    @pytest.mark.real
    @pytest.mark.timeout(180)
    def test_with_workers(self):
        with postgres(private=True) as database, redis(private=True) as store, tempfile.TemporaryDirectory() as home:
            stores = {"DATABASE_URL": database.url, "REDIS_URL": store.url}
            full = self.seconds_until_sealed(Path(home), events=1_000, **stores)
            self.assertEqual(full["left"], 0)
            self.assertLess(full["seconds"], WITHIN_SECONDS)
