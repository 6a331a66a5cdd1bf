"""Rotations beside readers, writers and an erasure (bar P3, drill R18). `KOSHFLOW_FAULTS=long`: the full load."""

import random
import threading
import time

import pytest
from django.core.management import CommandError
from django.db import connections
from django.utils import timezone

from accounts.identity.models import User
from security.crypto import KeyDestroyed, SubjectKey, open_sealed, seal
from tests.base import CommittingApiTestCase
from tests.factories import asha
from tests.faults.form import LONG, TIMEOUT_SECONDS, report, sized
from tests.security.keys.ring_on_disk import RingOnDisk

SUBJECTS = sized(500, 100_000)
PROBES = 200
BAR_SECONDS = 120
AAD = b"a probe of the test"


class Beside(threading.Thread):
    """Does `act` again and again, on a connection of its own, until it is stopped."""

    def __init__(self, act) -> None:
        super().__init__(daemon=True)
        self.act = act
        self.times = 0
        self.failures: list[str] = []
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.is_set():
            try:
                self.act()
            except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the test counts
                self.failures.append(repr(error))
            self.times += 1
        connections.close_all()

    def until_it_ran(self, times: int) -> None:
        aim = self.times + times
        while self.times < aim and self.is_alive():
            self._is_over.wait(0.001)

    def stop(self) -> None:
        self._is_over.set()
        self.join(60)


@pytest.mark.timeout(TIMEOUT_SECONDS)
class Online(RingOnDisk, CommittingApiTestCase):
    """No read fails while every data key is wrapped anew, and nobody is signed out while tokens change their key."""

    def beside(self, act) -> Beside:
        thread = Beside(act)
        thread.start()
        self.addCleanup(thread.stop)
        return thread

    def test_data_keys_are_wrapped_anew_under_readers(self):
        for start in range(0, SUBJECTS, 5000):
            SubjectKey.objects.bulk_create(SubjectKey.objects.build() for _ in range(min(5000, SUBJECTS - start)))
        probed = random.sample(list(SubjectKey.objects.values_list("pk", flat=True)), PROBES)
        cells = {
            subject.pk: seal(subject.data_key(), str(subject.pk).encode(), aad=AAD, kek_version=1)
            for subject in SubjectKey.objects.filter(pk__in=probed)
        }
        erased = probed[:20]

        def read_one() -> None:
            pk = random.choice(probed[20:])
            key = SubjectKey.objects.get(pk=pk).data_key()
            assert open_sealed(key, cells[pk], aad=AAD) == str(pk).encode()

        reader = self.beside(read_one)
        self.rotate("kek", "--step", "add")
        self.rotate("kek", "--step", "activate")
        reader.until_it_ran(5)
        eraser = self.beside(lambda: erased and SubjectKey.objects.get(pk=erased.pop()).destroy(at=timezone.now()))
        started = time.monotonic()
        self.rotate("kek", "--step", "rewrap", "--batch", str(sized(50, 500)))
        seconds = time.monotonic() - started
        reader.until_it_ran(5)
        eraser.until_it_ran(len(erased) + 1)
        reader.stop()
        eraser.stop()
        self.rotate("kek", "--step", "remove")
        left = SubjectKey.objects.filter(wrapped__isnull=False).exclude(kek_version=2).count()
        report(
            "P3",
            load=f"{SUBJECTS} subjects, a reader and an eraser beside",
            measured={"seconds": round(seconds, 1), "reads": reader.times, "failed_reads": len(reader.failures)},
            bar=f"<= {BAR_SECONDS} s for 100 000, 0 failed reads",
            is_passed=not reader.failures and seconds <= BAR_SECONDS,
        )
        self.assertEqual((reader.failures[:3], eraser.failures[:3], left), ([], [], 0))
        self.assertEqual(SubjectKey.objects.filter(destroyed_at__isnull=False).count(), 20)
        for subject in SubjectKey.objects.filter(destroyed_at__isnull=False):
            self.assertRaises(KeyDestroyed, subject.data_key)
        if LONG:
            self.assertLessEqual(seconds, BAR_SECONDS)

    def test_of_two_operators_at_once_one_adds_the_key(self):
        def add(_number: int) -> str:
            try:
                return self.rotate("kek", "--step", "add")
            except CommandError as refusal:
                return str(refusal)

        said = self.in_parallel(4, add)
        self.assertEqual(sum("added as next" in line for line in said), 1, said)
        self.assertEqual(sum("waits as next already" in line for line in said), 3, said)
        self.assertEqual(self.states("kek"), ["active", "next"])
        self.assertAudited("keys.added")

    def test_requests_go_on_through_every_step_of_every_use(self):
        person = asha(phone="+919876543210")
        tokens = self.log_in(person)
        person_id = person.pk

        def ask() -> None:
            answer = self.me(tokens["accessToken"])
            assert answer.status_code == 200, answer.content
            assert answer.json()["user"]["phone"] == "+919876543210"
            assert User.objects.get(pk=person_id).check_password("Monsoon-Ledger-47")

        client = self.beside(ask)
        for use in ("jwt", "kek", "index", "pepper", "audit"):
            for step in ("add", "activate", "rewrap"):
                forced = ["--force"] if (use, step) == ("jwt", "activate") else []
                self.rotate(use, "--step", step, *forced)
                client.until_it_ran(2)
        for use in ("kek", "index"):
            self.rotate(use, "--step", "remove")
            client.until_it_ran(2)
        client.stop()
        self.assertEqual(client.failures, [])
        self.log_in(person)
