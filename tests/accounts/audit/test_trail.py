"""GET /api/audit: a company's ADMIN reads its own trail, with proofs, and nobody else's."""

from uuid import uuid4

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from security.audit import Action, AuditEvent, Outcome, record
from security.context import Client, RequestContext, bind
from security.rbac import Role
from security.tlog import AuditCheckpoint, seal_pending, verify_bundle
from tests.base import MadeOnceTestCase
from tests.factories import a_person, asha, bilal, chitra
from tests.security.tlog.log import Intruder

EVENTS, CHECKPOINTS = "/api/audit/events", "/api/audit/checkpoints"
# The session; the events, the keys and the people they name; the last checkpoint; the mark: event, address (PostgreSQL
# sends the two as one) and the two ends of its transaction.
LIST_STATEMENTS = {"sqlite": 9, "postgresql": 8}
# The session; the event, checkpoint, tile, personal values; the mark.
EVENT_STATEMENTS = {"sqlite": 9, "postgresql": 8}


class TrailCase(MadeOnceTestCase):
    def make(self):
        self.asha = asha()
        self.token = self.log_in(self.asha)["accessToken"]

    def act(self, action=Action.PROFILE_UPDATED, *, by=None, address="203.0.113.9", **fields) -> AuditEvent:
        by = by or self.asha
        fields = {"actor": by.subject, "company": self.asha.company.subject, **fields}
        with bind(RequestContext(request_id="req-1", client=Client(address, ""))), transaction.atomic():
            return record(action, **fields)

    def ask(self, path=EVENTS, **question):
        response = self.get(path, token=self.token, query_params=question)
        self.assertEqual(response.status_code, 200, response.content)
        return response.json()

    def actions(self, **question) -> list[str]:
        return [row["action"] for row in self.ask(**question)["results"]]


class OwnTrail(TrailCase):
    """Only what happened in one's own company, newest first, by criteria and cursor."""

    def test_an_event_is_told_with_its_people(self):
        event = self.act(target=bilal(company=self.asha.company).subject)
        row = self.ask()["results"][0]
        self.assertEqual((row["id"], row["action"]), (str(event.event_id), "profile.updated"))
        self.assertEqual(row["actor"], {"kind": "person", "id": str(self.asha.pk), "name": self.asha.email})
        self.assertEqual((row["auditClass"], row["outcome"], row["requestId"]), ("account", "success", "req-1"))
        self.assertEqual((row["index"], row["sealed"]), (None, False))
        self.assertRegex(row["at"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        seal_pending()
        [row] = [one for one in self.ask()["results"] if one["id"] == str(event.event_id)]
        self.assertTrue(row["sealed"])

    def test_another_companys_events_are_not_there(self):
        other = chitra()
        theirs = self.act(by=other, company=other.company.subject)
        self.assertNotIn("profile.updated", self.actions())
        for question in ({"actor": str(other.pk)}, {"actor": str(other.subject_id)}, {"address": "203.0.113.9"}):
            self.assertEqual(self.actions(**question), [], question)
        self.assertProblem(self.get(f"{EVENTS}/{theirs.event_id}", token=self.token), 404, "NOT_FOUND")
        self.assertProblem(self.get(f"{EVENTS}/{uuid4()}", token=self.token), 404, "NOT_FOUND")

    def test_staff_and_the_erased_are_told_by_kind_alone(self):
        gone = bilal(company=self.asha.company)
        self.act(Action.COMPANY_UPDATED, by=gone)
        self.act(Action.COMPANY_VIEWED, by=a_person(role=None))
        gone.subject.destroy(at=timezone.now())
        gone.delete()
        told = {row["action"]: row["actor"] for row in self.ask()["results"]}
        self.assertEqual(told["company.viewed"], {"kind": "staff", "id": None, "name": None})
        self.assertEqual(told["company.updated"], {"kind": "erased", "id": None, "name": None})

    def test_each_criterion_finds_its_events_and_no_other(self):
        colleague = bilal(company=self.asha.company)
        self.act(Action.PASSWORD_CHANGE_REFUSED, by=colleague, target=colleague.subject, address="198.51.100.7")
        found = ["password.change_refused"]
        for question in (
            {"actor": str(colleague.pk)},
            {"target": str(colleague.pk)},
            {"action": "password.change_refused"},
            {"outcome": "refused"},
            {"address": "198.51.100.7"},
            {"requestId": "req-1"},
            {"auditClass": "auth", "outcome": "refused"},
            {"since": "2020-01-01T00:00:00Z", "requestId": "req-1"},
        ):
            self.assertEqual(self.actions(**question), found, question)
        self.assertEqual(self.actions(until="2020-01-01T00:00:00Z"), [])
        self.assertEqual(self.actions(actor=str(colleague.pk), outcome="success"), [])

    def test_pages_follow_one_another_without_gap_or_repetition(self):
        for _ in range(7):
            self.act(outcome=Outcome.FAILED)
        page, seen = self.ask(pageSize=3, outcome="failed"), []
        while True:
            seen += [row["id"] for row in page["results"]]
            if page["next"] is None:
                break
            page = self.get(page["next"].removeprefix("http://testserver"), token=self.token).json()
        wanted = AuditEvent.objects.filter(outcome="failed").order_by("-pk").values_list("event_id", flat=True)
        self.assertEqual(seen, [str(event_id) for event_id in wanted])

    def test_what_cannot_be_meant_is_told_at_its_field(self):
        for field, text in (
            ("since", "yesterday"), ("until", "0001-01-01"), ("actor", "asha"), ("action", "x"),
            ("address", "300.1.1.1"), ("cursor", "x"), ("cursor", "9" * 30), ("cursor", "-1"), ("pageSize", "0"),
            ("outcome", "'"), ("requestId", "x" * 129),
        ):  # fmt: skip
            response = self.get(EVENTS, token=self.token, query_params={field: text})
            self.assertProblem(response, 400, "VALIDATION_FAILED", field=field)
        self.assertAudited("list.viewed", times=0)

    def test_a_misspelt_filter_is_told_and_never_answers_with_everything(self):
        response = self.get(EVENTS, token=self.token, query_params={"from": "2026-11-01", "Actor": "x", "pageSize": 3})
        self.assertProblem(response, 400, "VALIDATION_FAILED", field="from")
        self.assertEqual([error["field"] for error in response.json()["details"]], ["Actor", "from"])
        self.assertAudited("list.viewed", times=0)
        secret = self.token[:40]
        response = self.get(EVENTS, token=self.token, query_params={secret: ""})
        self.assertProblem(response, 400, "VALIDATION_FAILED", field="")
        self.assertNotIn(secret, response.content.decode())

    def test_each_look_is_an_event_of_the_trail(self):
        event = self.act()
        self.ask(address="203.0.113.9")
        self.ask(f"{EVENTS}/{event.event_id}")
        self.assertAudited("list.viewed", actor=self.asha)
        self.assertAudited("audit_event.viewed", actor=self.asha)
        mark = self.audited("list.viewed")[0]
        self.assertEqual((mark.company, mark.parsed_leaf().data["filters"]), (event.company, ["address"]))
        self.assertNotIn(b"203.0.113.9", bytes(mark.leaf))

    def test_only_an_admin_reads_it(self):
        for role in set(Role) - {Role.ADMIN}:
            token = self.log_in(bilal(company=self.asha.company, role=role))["accessToken"]
            for path in (EVENTS, f"{EVENTS}/{uuid4()}", CHECKPOINTS):
                self.assertProblem(self.get(path, token=token), 403, "INSUFFICIENT_PERMISSIONS")

    def test_the_statements_do_not_grow_with_the_rows(self):
        for count in (3, 20):
            for _ in range(count):
                self.act()
            with CaptureQueriesContext(connection) as queries:
                self.ask()
            told = [query["sql"] for query in queries]
            self.assertEqual(len(queries), LIST_STATEMENTS[connection.vendor], "\n".join(told))


class Proofs(TrailCase):
    """An event as it was sealed, with a proof that a stranger checks; and what the log has signed."""

    def test_a_sealed_event_proves_offline(self):
        event = self.act()
        self.assertEqual(self.ask(f"{EVENTS}/{event.event_id}")["standing"], "pending")
        seal_pending()
        told = self.ask(f"{EVENTS}/{event.event_id}")
        self.assertEqual((told["standing"], told["personal"]), ("sealed", ["address"]))
        key = verify_bundle.parse_key(AuditCheckpoint.objects.select_related("log").first().log.verifier_key)
        said = verify_bundle.verify_single(told["proof"], verify_bundle.json.dumps(told["event"]).encode(), [key])
        self.assertIn("profile.updated", said[1])

    def test_a_changed_event_says_so(self):
        event = self.act()
        seal_pending()
        for leaf in (bytes(event.leaf).replace(b"success", b"refused"), b"no leaf"):
            Intruder().run("UPDATE audit_event SET leaf = %s WHERE id = %s", leaf, event.pk)
            told = self.ask(f"{EVENTS}/{event.event_id}")
            self.assertEqual((told["standing"], told["proof"]), ("changed", None))

    def test_checkpoints_are_listed_the_largest_first(self):
        for _ in range(3):
            self.act()
            seal_pending()
        sizes = list(AuditCheckpoint.objects.order_by("-size").values_list("size", flat=True))
        page = self.ask(CHECKPOINTS, pageSize=2)
        self.assertEqual([row["size"] for row in page["results"]], sizes[:2])
        self.assertEqual(page["results"][0]["note"], AuditCheckpoint.objects.get(size=sizes[0]).note)
        older = self.get(page["next"].removeprefix("http://testserver"), token=self.token).json()
        self.assertEqual([row["size"] for row in older["results"]], sizes[2:])
        response = self.get(CHECKPOINTS, token=self.token, query_params={"cursor": "x"})
        self.assertProblem(response, 400, "VALIDATION_FAILED", field="cursor")

    def test_the_statements_of_an_event(self):
        event = self.act()
        seal_pending()
        with CaptureQueriesContext(connection) as queries:
            self.ask(f"{EVENTS}/{event.event_id}")
        told = "\n".join(query["sql"] for query in queries)
        self.assertEqual(len(queries), EVENT_STATEMENTS[connection.vendor], told)
