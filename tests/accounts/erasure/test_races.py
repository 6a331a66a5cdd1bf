"""What is under way while somebody is erased does not bring them back, and no hold is passed by."""

import threading
import time
from contextlib import contextmanager
from unittest import mock

import pytest
from django.db import connection, connections

from accounts.company import services as company_services
from accounts.company.services import update_company
from accounts.erasure import Basis, Withheld, destroy_released_keys, erase, lift_hold, place_hold, release, services
from accounts.identity.models import Company, User
from accounts.profile.services import update_profile
from accounts.sessions.models import Session
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.services import start_setup
from security.audit import AuditEvent
from security.crypto import SubjectKey
from security.errors import SessionInvalid
from tests.accounts.erasure.holding import TICKET
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import PASSWORD, asha, bilal

WHY = {"reason": TICKET, "operator": "omar"}
LONGEST_SECONDS = 20.0


class ReadBefore(ApiTestCase):
    """Who was let in a moment before writes nothing once they are erased."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.log_in(self.person)
        self.session = Session.objects.select_related("user__subject", "user__company__subject").get()
        erase(who=self.person.email, with_company=True, **WHY)

    def test_neither_their_name_nor_their_companys_nor_a_factor(self):
        for act in (
            lambda: update_profile(session=self.session, changes={"name": "Asha Rao", "phone": "+919876543210"}),
            lambda: update_company(session=self.session, changes={"name": "Lotus Traders"}),
            lambda: start_setup(session=self.session, password=PASSWORD),
        ):
            with self.assertRaises(SessionInvalid):
                act()
        row = User.objects.get(pk=self.person.pk)
        self.assertEqual((row.name, row.phone, row.company.name), ("Erased person", None, "Erased company"))
        self.assertFalse(TotpDevice.objects.exists())
        # One a client, code and minute.
        self.assertEqual(
            [e.parsed_leaf().data["code"] for e in self.audited("access_token.refused")], ["SESSION_INVALID"]
        )


@pytest.mark.real
class WhileItErases(CommittingApiTestCase):
    """A request that was let in and waits for the row finds it blank when the erasure is committed."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]

    def refused(self, method: str, path: str, **members: str) -> None:
        erasure = Paused(services, "blank")
        with erasure.in_thread(lambda: erase(who=self.person.email, with_company=True, **WHY)):
            self.assertProblem(self.send(method, path, members, token=self.token), 401, "SESSION_INVALID")
        self.assertEqual(User.objects.get(pk=self.person.pk).name, "Erased person")
        self.assertEqual(Company.objects.get(pk=self.person.company_id).name, "Erased company")
        self.assertFalse(TotpDevice.objects.exists())

    def test_their_profile(self):
        self.refused("patch", "/api/auth/me", name="Asha Rao", phone="+919876543210")

    def test_their_company(self):
        self.refused("patch", "/api/company", name="Lotus Traders")

    def test_a_change_of_the_company_that_came_first_is_made_and_blanked(self):
        answers = []
        change = Paused(company_services, "is_erased")
        with change.in_thread(
            lambda: answers.append(self.send("patch", "/api/company", {"name": "Lotus Traders"}, token=self.token))
        ):
            erase(who=self.person.email, with_company=True, **WHY)
        self.assertEqual([answer.status_code for answer in answers], [200], answers[0].content)
        self.assertEqual(Company.objects.get(pk=self.person.company_id).name, "Erased company")

    def test_their_second_factor(self):
        self.refused("post", "/api/auth/2fa/setup", password=PASSWORD)


@pytest.mark.real
class HoldsMeanwhile(CommittingApiTestCase):
    """A hold on a company waits for whatever decides on the key of one of its people."""

    def setUp(self):
        super().setUp()
        self.admin = asha()
        self.person = bilal(company=self.admin.company)

    def place(self, basis: Basis) -> None:
        place_hold(who=str(self.admin.company.subject_id), basis=basis, **WHY)

    def types_about(self) -> list[str]:
        about = (self.person.subject_id, self.admin.company.subject_id)
        return list(AuditEvent.objects.filter(target__in=about).order_by("pk").values_list("type", flat=True))

    def test_an_erasure(self):
        erasure = Paused(services, "blank")
        with erasure.in_thread(lambda: erase(who=self.person.email, **WHY)):
            self.place(Basis.DISPUTE)
        self.assertIsNotNone(SubjectKey.objects.get(pk=self.person.subject_id).destroyed_at)
        self.assertEqual(self.types_about(), ["subject.erased", "subject.hold_placed"])

    def test_the_nightly_run(self):
        dispute = place_hold(who=self.person.email, basis=Basis.DISPUTE, **WHY)
        erase(who=self.person.email, **WHY)
        lift_hold(hold_id=dispute.pk, **WHY)
        run = Paused(release, "destroy_withheld")
        with run.in_thread(destroy_released_keys):
            self.place(Basis.BOOKS)
        self.assertFalse(Withheld.objects.exists())
        self.assertEqual(self.types_about()[-2:], ["subject.key_destroyed", "subject.hold_placed"])


class Paused:
    """Stops an act, inside its transaction, at its first call of `name`, until somebody waits for a lock of it."""

    def __init__(self, module: object, name: str) -> None:
        self._patch = mock.patch.object(module, name, side_effect=self._stop)
        self._inner = getattr(module, name)
        self._reached = threading.Event()
        self.failure: BaseException | None = None

    @contextmanager
    def in_thread(self, act):
        """The block begins when the act stands still; after it the act is through. Raises what the act raised."""

        def run():
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
                self.failure = error
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        with self._patch:
            thread.start()
            assert self._reached.wait(LONGEST_SECONDS)
            yield
            thread.join()
        if self.failure is not None:
            raise self.failure

    def _stop(self, *args, **named):
        if not self._reached.is_set():
            self._reached.set()
            end = time.monotonic() + LONGEST_SECONDS
            while not _somebody_waits():
                assert time.monotonic() < end, "nobody waited for the act"
        return self._inner(*args, **named)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
        here = "datname = current_database() AND wait_event_type = 'Lock'"
        cursor.execute(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {here})")
        return cursor.fetchone()[0]
