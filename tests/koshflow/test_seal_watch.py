"""A thousand events are sealed within about a second, on both forms, without a request that counts them."""

import json
import tempfile
from pathlib import Path
from unittest import TestCase, mock

import pytest
from django.test import TestCase as DatabaseTestCase

from koshflow.seal_watch import SealWatch
from security.audit import Action, record
from security.tlog import seal_pending, sealing
from tests import warm
from tests.koshflow.servers import Launch, an_environment
from tests.services import postgres, redis
from tests.waiting import until

WITHIN_SECONDS = 4.0  # one for the look, one for the worker, and room for a machine that does other things too
# Recorded as soon as a slot's seal is over, so that the next is too late to be what sealed them. The last hundred make
# them full.
_RECORD = """
import json, time, django
django.setup()
from django.db import transaction
from security.audit import Action, AuditEvent, record
left = AuditEvent.objects.filter(tree_index=None)
def act(times):
    with transaction.atomic():
        for _ in range(times): record(Action.KEYS_ADDED)
    return time.monotonic()
def wait(began, seconds):
    while time.monotonic() - began < seconds and left.exists(): time.sleep(0.02)
    return time.monotonic() - began
while True:
    wait(act(1), 30)
    time.sleep(1)  # it looks once more before it ends
    if time.time() % 10 < 5: break
wait(act(900), 1.5)
fewer = left.count()
began = act(100)
print(json.dumps({"fewer": fewer, "seconds": wait(began, 6), "left": left.count()}))
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

    def assertSealedWhenFull(self, home: Path, **stores: str) -> None:
        """Nine hundred wait for their slot, though a look passes; the thousandth has all of them sealed."""
        environment = an_environment(home / "var", **stores)
        with Launch(environment, home / "log") as launch:
            launch.until_it_answers()
            until((home / "var" / "audit-log" / "signed.json").exists, what="the first seal")
            ended = warm.python(
                ["-c", _RECORD],
                environment | {"KOSHFLOW_ENV": "local", "DJANGO_SETTINGS_MODULE": "koshflow.settings"},
                seconds=90,
            )
            self.assertEqual(ended.returncode, 0, ended.stderr[-2000:])
        told = json.loads(ended.stdout.splitlines()[-1])
        print(json.dumps(told), flush=True)
        self.assertGreaterEqual(told["fewer"], 900)  # the server may have recorded one of its own
        self.assertEqual(told["left"], 0)
        self.assertLess(told["seconds"], WITHIN_SECONDS)

    @pytest.mark.embedded
    @pytest.mark.timeout(180)
    def test_embedded(self):
        with tempfile.TemporaryDirectory() as home:
            self.assertSealedWhenFull(Path(home))

    @pytest.mark.real
    @pytest.mark.timeout(180)
    def test_with_workers(self):
        with postgres(private=True) as database, redis(private=True) as store, tempfile.TemporaryDirectory() as home:
            self.assertSealedWhenFull(Path(home), DATABASE_URL=database.url, REDIS_URL=store.url)
