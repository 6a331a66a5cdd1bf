"""An auditor in the admin, and a log with something in it."""

import re
from html import unescape

from django.db import transaction

from accounts.staff import StaffRole
from security.audit import Action, AuditEvent, record
from security.context import Client, RequestContext, bind
from security.tlog import seal_pending
from tests.accounts.admin.door import AdminTestCase
from tests.factories import asha

LIST = "/admin/security/auditevent/"
ELSEWHERE = "203.0.113.9"


class AuditCase(AdminTestCase):
    def make(self):
        self.person = asha(email="asha@lotus.example.in")
        self.omar = self.enter(StaffRole.AUDITOR)

    def act(self, action=Action.PROFILE_UPDATED, *, address=ELSEWHERE, request_id="req-1", **fields) -> AuditEvent:
        context = RequestContext(request_id=request_id, client=Client(address=address, user_agent=""))
        with bind(context), transaction.atomic():
            return record(action, **{"actor": self.person.subject, "company": self.person.company.subject, **fields})

    def seal(self) -> None:
        seal_pending()

    def rows(self, **question) -> list[list[str]]:
        """The words in the cells of each event of a list."""
        response = self.client.get(LIST, question)
        self.assertEqual(response.status_code, 200, response.content)
        body = response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
        return [[" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in row] for row in cells]

    def types(self, **question) -> list[str]:
        return [row[1] for row in self.rows(**question)]

    def text_of(self, event: AuditEvent) -> str:
        response = self.client.get(f"{LIST}{event.pk}/change/")
        self.assertEqual(response.status_code, 200, response.content)
        return unescape(response.content.decode())

    def stream(self, path: str) -> bytes:
        response = self.client.get(path)
        self.assertEqual(response.status_code, 200)
        return b"".join(response.streaming_content)
