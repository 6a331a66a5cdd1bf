"""Who looked at whose data is an event: a walk over every list and page that the admin has."""

from unittest.mock import patch

from django.contrib import admin
from django.db import OperationalError
from django.urls import reverse

from accounts.login.services import sign_in
from security.audit import AuditEvent
from tests.accounts.admin.door import AdminTestCase
from tests.factories import asha

# Numbers of machines: whoever registers a page with people in it finds that it is not here.
_OF_NOBODY = {"alertstate", "metricseries", "performancereview", "recordedstatement", "schedulerun"}


class EveryLook(AdminTestCase):
    def make(self):
        self.asha = asha()
        self.enter()

    def pages(self) -> list[str]:
        """Each list, and a page of each that has pages of people."""
        models = [model._meta for model in admin.site._registry if model._meta.model_name not in _OF_NOBODY]
        lists = [reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist") for meta in models]
        session = sign_in(user=self.asha, amr="pwd").session
        event = reverse("admin:security_auditevent_change", args=[AuditEvent.objects.latest("pk").pk])
        return [*lists, event, *map(self.page_of, (self.asha, self.asha.company, session))]

    def test_each_is_one_event_of_who_looked(self):
        for page in self.pages():
            with self.subTest(page):
                last = AuditEvent.objects.latest("pk").pk
                answer = self.client.get(page)
                self.assertEqual(answer.status_code, 200)
                [event] = AuditEvent.objects.filter(pk__gt=last)
                self.assertRegex(event.type, r"\.viewed$")
                self.assertIsNotNone(event.actor)
                self.assertEqual(event.request_id, answer.headers["X-Request-ID"])

    def test_what_cannot_be_told_is_not_shown(self):
        pages = self.pages()
        with patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full")):
            for page in pages:
                with self.subTest(page):
                    self.assertProblem(self.client.get(page), 503, "SERVICE_UNAVAILABLE")
