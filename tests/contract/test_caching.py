"""What the product keeps between requests, seen from its doors: fewer statements, the same truth, figures of both."""

from unittest.mock import patch

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as RedisGone

from accounts.staff import StaffRole
from monitoring.metrics.receivers import connect
from security.audit import AuditEvent
from tests.accounts.admin.door import AdminTestCase
from tests.base import ApiTestCase
from tests.factories import asha, bilal, chitra
from tests.monitoring.metrics.counting import CountingMixin
from tests.security.selectors.asked import committed

EVENTS = "/api/audit/events"


class Counted(CountingMixin):
    def setUp(self):
        super().setUp()
        connect()
        self.enterContext(committed())

    def told(self, cache):
        """How many answers of this selector came from where."""
        samples = self.samples("kf_cache_requests_total")
        return {s.labels["result"]: s.value for s in samples if s.labels["cache"] == cache and s.value}


class HowFarTheLogIsSealed(Counted, ApiTestCase):
    """A company's list of events asks once how far the log is sealed, and again when more of it is."""

    def setUp(self):
        super().setUp()
        self.token = self.log_in(asha())["accessToken"]

    def read(self):
        with CaptureQueriesContext(connection) as statements:
            rows = self.get(EVENTS, token=self.token).json()["results"]
        return rows, sum('FROM "audit_checkpoint"' in one["sql"] for one in statements.captured_queries)

    def seal(self):
        with self.captureOnCommitCallbacks(execute=True):
            call_command("audit_seal", verbosity=0)

    def test_it_is_asked_once(self):
        self.assertEqual([self.read()[1] for _ in range(3)], [1, 0, 0])
        self.assertEqual(self.told("audit_signed"), {"loaded": 1, "local": 2})

    def test_what_was_sealed_is_told_at_once(self):
        self.assertFalse(self.read()[0][-1]["sealed"])
        self.seal()
        rows, asked = self.read()
        self.assertEqual((rows[-1]["sealed"], asked), (True, 1))

    def test_while_redis_is_away_the_database_answers(self):
        with patch("security.selectors.shared.caches") as away:
            away.__getitem__.return_value.get_many.side_effect = RedisGone("away")
            self.assertFalse(self.read()[0][-1]["sealed"])
            self.assertTrue(AuditEvent.objects.exists())
        self.assertEqual(self.told("audit_signed"), {"direct": 1})
        self.assertEqual(self.value("kf_cache_errors_total", cache="audit_signed"), 1)


class PeopleOfACompany(Counted, AdminTestCase):
    """The page of a company counts its people once, and again when somebody comes; never another company's."""

    def setUp(self):
        super().setUp()
        self.asha, self.chitra = asha(), chitra()
        self.enter(StaffRole.ADMINISTRATOR)

    def people(self, person):
        page = self.client.get(f"/admin/accounts/company/{person.company.pk}/change/")
        self.assertEqual(page.status_code, 200)
        return int(page.content.decode().split(f'company__id__exact={person.company.pk}">')[1].split("<")[0])

    def test_each_has_its_own(self):
        with self.captureOnCommitCallbacks(execute=True):
            bilal(company=self.asha.company)
        for _ in range(2):
            self.assertEqual((self.people(self.asha), self.people(self.chitra)), (2, 1))
        self.assertEqual(self.told("company_people"), {"loaded": 2, "local": 2})

    def test_who_comes_is_counted_at_once(self):
        self.assertEqual(self.people(self.asha), 1)
        with self.captureOnCommitCallbacks(execute=True):
            bilal(company=self.asha.company)
        self.assertEqual((self.people(self.asha), self.people(self.chitra)), (2, 1))
