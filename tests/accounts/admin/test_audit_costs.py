"""How many statements each page of auditors asks, and that none grows with what it shows."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from security.audit import Action
from tests.accounts.admin.auditors import LIST, AuditCase
from tests.factories import bilal

# Door, mark and page together: on SQLite, and on PostgreSQL, where an event and its address are one statement. What the
# list costs is held by `test_audit_lists`.
BUDGETS = {
    "event": (20, 19),
    "disclosed": (30, 28),  # two looks: that it was opened, and the page again
    "proof": (13, 12),
    "event as a file": (11, 10),
    "years": (7, 7),
    "a year as a file": (18, 17),
}


class Costs(AuditCase):
    """Each page within its budget."""

    def statements(self, method: str, path: str, *given) -> int:
        with CaptureQueriesContext(connection) as queries:
            response = getattr(self.client, method)(path, *given)
            if response.streaming:
                b"".join(response.streaming_content)
        self.assertEqual(response.status_code, 200)
        self.assertEqual([q["sql"] for q in queries if "COUNT(" in q["sql"] and '"audit_event"' in q["sql"]], [])
        return len(queries)

    def measured(self, event) -> dict[str, int]:
        page = f"{LIST}{event.pk}/"
        return {
            "event": self.statements("get", f"{page}change/"),
            "disclosed": self.statements("post", f"{page}disclose/", {"reason": "incident 4712"}),
            "proof": self.statements("get", f"{page}proof/"),
            "event as a file": self.statements("get", f"{page}event/"),
            "years": self.statements("get", f"{LIST}years/"),
            "a year as a file": self.statements("get", f"{LIST}years/2026/csv/"),
        }

    def test_each_page_keeps_its_budget_however_much_it_shows(self):
        other = bilal(company=self.person.company)
        first = self.act(pii={"name": "Asha Rao"})
        self.seal()
        self.measured(first)  # what a process reads once is read
        budget = {page: statements[connection.vendor == "postgresql"] for page, statements in BUDGETS.items()}
        self.assertEqual(self.measured(first), budget)
        for number in range(60):
            self.act(actor=other.subject if number % 2 else self.person.subject)
        rows = [
            {"table": "t", "op": "update", "id": str(number), "before": {"a": 1}, "after": {"a": 2}}
            for number in range(20)
        ]
        names = {"name": "Asha Rao", "email": "asha@lotus.example.in", "phone": "+919812345678"}
        wide = self.act(Action.RECORDS_CHANGED, data={"changes": rows}, pii=names)
        self.seal()
        self.assertEqual(self.measured(wide), budget)
