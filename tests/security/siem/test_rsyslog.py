"""A receiver that is not ours: Debian's rsyslog, by each transport, killed and back."""

import itertools
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from security.audit import Action, AuditEvent, record
from security.audit.leaf import canonical, leaf_hash
from security.siem import ReceiverUnavailable, forward_sealed, services
from security.siem.models import AuditForward
from security.siem.transport import deliver
from security.tlog import seal_pending
from tests.security.siem.receivers import Rsyslog
from tests.security.siem.test_formats import HOSTILE
from tests.security.tlog.log import SIZES, SealedLog
from tests.waiting import until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(180), pytest.mark.rsyslog]


class Received(SealedLog):
    """What rsyslog takes apart is what was recorded; killed in the middle it gets everything once it is back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rsyslog = Rsyslog()
        cls.addClassCleanup(cls.rsyslog.stop)

    def setUp(self):
        super().setUp()
        self.begin_anew()
        self.addCleanup(self.rsyslog.kill)
        self.enterContext(self.settings(AUDIT_SYSLOG_CA=str(self.rsyslog.folder / "ca.pem")))

    def begin_anew(self) -> None:
        """Nothing was sent and nothing received."""
        self.rsyslog.kill()
        (self.rsyslog.folder / "received").unlink(missing_ok=True)
        self.rsyslog.run_again()
        AuditForward.objects.all().delete()

    def indexes(self) -> list[int]:
        return [int(re.search(r'sequenceId="(\d+)"', told["data"])[1]) - 1 for told in self.rsyslog.received]

    def wait_for(self, count: int) -> None:
        until(lambda: len(set(self.indexes())) >= count, what=f"{count} messages", seconds=20)

    def test_each_transport(self):
        for scheme in ("tcp", "tls", "udp"):
            with self.subTest(scheme), self.settings(AUDIT_SYSLOG=self.rsyslog.url(scheme)):
                self.begin_anew()
                # Datagrams that come faster than they are read are lost, which no sender sees.
                with mock.patch.object(services, "BATCH", 50 if scheme == "udp" else 500):
                    self.assertEqual(forward_sealed(), SIZES[-1])
                self.wait_for(SIZES[-1])
                self.assertEqual(self.indexes(), list(range(SIZES[-1])))

    def test_hostile_values_arrive_as_they_were_recorded(self):
        for text in HOSTILE:
            record(Action.KEYS_ADDED, data={"text": text})
        seal_pending()
        size = SIZES[-1] + len(HOSTILE)
        for form in ("json", "cef", "ocsf"):
            with self.settings(AUDIT_SYSLOG=self.rsyslog.url("tls"), AUDIT_SIEM_FORMAT=form):
                self.begin_anew()
                forward_sealed()
                self.wait_for(size)
            told = self.rsyslog.received
            self.assertEqual(self.indexes(), list(range(size)))
            self.assertEqual({(one["app"], one["host"]) for one in told}, {("koshflow", told[0]["host"])})
            for one, event in zip(
                told[SIZES[-1] :], AuditEvent.objects.order_by("tree_index")[SIZES[-1] :], strict=True
            ):
                self.assertEqual(one["kind"], "keys.added")
                if form != "cef":
                    document = json.loads(one["text"])
                    leaf = (document if form == "json" else document["unmapped"])["leaf"]
                    self.assertEqual(leaf_hash(canonical(leaf)), bytes(event.leaf_hash))

    def test_killed_in_the_middle_and_back(self):
        self.act(2_000)
        seal_pending()
        size, batches = SIZES[-1] + 2_000, []
        with self.settings(AUDIT_SYSLOG=self.rsyslog.url("tcp")), mock.patch.object(services, "BATCH", 100):
            for last in (5, 13, 20):
                with (
                    mock.patch.object(services, "deliver", self.deliver_and_kill(last, batches)),
                    self.assertRaises(ReceiverUnavailable),
                ):
                    forward_sealed(is_hurried=True)
                self.rsyslog.run_again()
            forward_sealed(is_hurried=True)
        self.wait_for(size)
        found = self.indexes()
        counted = {"missing": size - len(set(found)), "twice": len(found) - len(set(found))}
        print(json.dumps({"events": size, "batches": len(batches), **counted}), flush=True)
        self.assertEqual(sorted(set(found)), list(range(size)))

    def deliver_and_kill(self, last: int, batches: list[int]) -> Callable[..., None]:
        """`deliver`, beside whose batch `last` the receiver is killed. Batches are left, so the sender learns of it."""
        numbers = itertools.count(1)

        def sent(texts: list[bytes], **options: Any) -> None:
            batches.append(len(texts))
            killer = threading.Thread(target=self.rsyslog.kill if next(numbers) == last else int)
            killer.start()
            try:
                deliver(texts, **options)
            finally:
                killer.join()

        return sent
