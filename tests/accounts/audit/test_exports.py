"""/api/audit/exports: frozen recipes, whose files are made while they are sent."""

import csv
import io
import json
import subprocess
import sys
import tempfile
from unittest import mock
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import exports
from accounts.audit.models import AuditExport
from accounts.login.services import sign_in
from accounts.staff import StaffRole
from security.audit import AuditEvent
from security.rbac import Role
from security.tlog import VERIFIER, AuditCheckpoint, seal_pending
from tests.accounts.admin.door import hire, with_factor
from tests.accounts.audit.exports import EXPORTS, YEAR, ExportCase
from tests.factories import asha, bilal, chitra

# The session; the page with its checkpoints, logs and keys: one statement whatever their number.
LIST_STATEMENTS = 2
# The session, the checkpoint; within the transaction the company and person held, the export, the event with its
# address (PostgreSQL sends the two as one), the newest exports. Its two ends are not counted.
CREATE_STATEMENTS = {"sqlite": 8, "postgresql": 7}


class OwnExports(ExportCase):
    """A company's ADMIN makes exports of its own trail, finds them again, and reads their files."""

    def test_an_export_says_what_it_is_fixed_at(self):
        export = self.create()
        checkpoint = AuditCheckpoint.objects.latest("size")
        self.assertEqual(export["url"], f"http://testserver{EXPORTS}/{export['id']}/file")
        self.assertEqual((export["size"], export["checkpoint"]), (checkpoint.size, checkpoint.note))
        self.assertEqual((export["financialYear"], export["format"]), ("2026-27", "jsonl"))
        self.assertEqual((export["from"], export["to"]), ("2026-03-31T18:30:00.000Z", "2027-03-31T18:30:00.000Z"))
        self.assertEqual(self.ask(f"{EXPORTS}/{export['id']}"), export)
        self.assertEqual(self.ask(EXPORTS), {"results": [export], "next": None, "previous": None})

    def test_lines_are_the_companys_events_byte_for_byte_and_no_others(self):
        self.act(by=chitra(), company=asha().company.subject)
        seal_pending()
        content = self.read(self.create())
        lines = [json.loads(line) for line in content.splitlines()]
        self.assertEqual(lines[0]["checkpoint"], AuditCheckpoint.objects.latest("size").note)
        self.assertEqual(lines[0]["financialYear"], "2026-27")
        ours = AuditEvent.objects.filter(company=self.asha.company.subject_id, tree_index__isnull=False).order_by("pk")
        self.assertEqual([line["event"]["id"] for line in lines[1:-2]], [str(event.event_id) for event in ours])
        self.assertEqual(lines[-2], {"events": len(ours)})
        last, digest = self.trailer(content)
        self.assertEqual(json.loads(last), {"sha256": digest})

    def test_a_spreadsheet_has_pseudonyms_and_no_names_and_no_formulas(self):
        content = self.read(self.create(format="csv"))
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        [row] = [row for row in rows if row["action"] == "profile.updated"]
        self.assertEqual(row["actor"], str(self.asha.subject_id))
        self.assertNotIn(self.asha.email.encode(), content)
        last, digest = self.trailer(content)
        self.assertTrue(last.startswith(f"sha256,{digest},".encode()), last)

    def test_the_same_bytes_come_whatever_happens_meanwhile(self):
        for form in exports.FORMS:
            export = self.create(format=form)
            before = self.read(export)
            self.asha.name, self.asha.email = "Asha Iyer", f"{form}@lotus.example.in"
            self.asha.save()
            self.act()
            seal_pending()
            self.assertEqual(self.read(export), before, form)
            self.assertNotEqual(self.read(self.create(format=form)), before, form)

    def test_nothing_is_read_before_the_first_piece_is_asked_for(self):
        """Whoever is refused a place has cost no statement."""
        for form in exports.FORMS:
            export = exports.find_export(company=self.asha.company, pk=self.create(format=form)["id"])
            with self.assertNumQueries(0):
                exports.pieces(export)

    def test_a_bundle_of_ones_own_events_is_proved_by_a_stranger(self):
        self.act(by=chitra(), company=asha().company.subject)
        seal_pending()
        path = self.enterContext(tempfile.NamedTemporaryFile(suffix=".zip"))
        path.write(self.read(self.create(format="bundle")))
        path.flush()
        key = AuditCheckpoint.objects.latest("size").log.verifier_key
        command = [sys.executable, "-I", str(VERIFIER), "--key", key, path.name]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        ours = AuditEvent.objects.filter(company=self.asha.company.subject_id, tree_index__isnull=False).count()
        self.assertIn(f"{ours} of them are here", checked.stdout)

    def test_a_time_is_taken_to_the_second_and_its_end_left_out(self):
        export = self.create(financialYear=None, **{"from": "2026-12-02T06:00:00Z", "to": "2026-12-02T06:00:01Z"})
        self.assertIsNone(export["financialYear"])
        self.assertGreater(len(self.read(export).splitlines()), 3)
        before = {"from": "2026-12-02T05:59:59Z", "to": "2026-12-02T06:00:00Z"}
        self.assertEqual(len(self.read(self.create(financialYear=None, **before)).splitlines()), 3)

    def test_the_file_has_a_name_and_is_kept_by_no_cache(self):
        for form, (media_type, ending) in exports.FORMS.items():
            response = self.fetch(self.create(format=form))
            self.assertEqual(response["Content-Type"], media_type)
            self.assertEqual(response["Content-Disposition"], f'attachment; filename="audit-2026-27.{ending}"')
            self.assertEqual(response["Cache-Control"], "no-store")
            response.getvalue()

    def test_making_and_each_download_are_events_of_the_trail(self):
        export = self.create()
        self.read(export)
        self.read(export)
        self.assertAudited("audit_export.created", actor=self.asha)
        self.assertAudited("audit.exported", times=2, actor=self.asha)
        for event in self.audited("audit.exported") + self.audited("audit_export.created"):
            data = event.parsed_leaf().data
            self.assertEqual((data["export"], data["size"], data["year"]), (export["id"], export["size"], "2026-27"))
            self.assertEqual(event.company, self.asha.company.subject_id)

    def test_the_oldest_are_forgotten(self):
        with mock.patch.object(exports, "MOST_KEPT", 3):
            made = [self.create()["id"] for _ in range(5)]
        self.assertEqual([one["id"] for one in self.ask(EXPORTS)["results"]], made[:1:-1])

    def test_pages_follow_one_another(self):
        made = [self.create()["id"] for _ in range(3)]
        page = self.ask(EXPORTS, pageSize=2)
        rest = self.get(page["next"].removeprefix("http://testserver"), token=self.token).json()
        self.assertEqual([one["id"] for one in page["results"] + rest["results"]], made[::-1])

    def test_the_statements_do_not_grow_with_the_rows(self):
        for count in (1, 8):
            for _ in range(count):
                self.create()
            with CaptureQueriesContext(connection) as queries:
                self.ask(EXPORTS)
            self.assertEqual(len(queries), LIST_STATEMENTS, "\n".join(query["sql"] for query in queries))
        with CaptureQueriesContext(connection) as queries:
            self.create()
        told = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
        self.assertEqual(len(told), CREATE_STATEMENTS[connection.vendor], "\n".join(told))


class WhoseExports(ExportCase):
    """Nobody reads another's, and only who may read the trail reads any."""

    def test_another_companys_export_is_not_found(self):
        export = self.create()
        other = self.log_in(chitra())["accessToken"]
        for path in ("", "/file"):
            response = self.get(f"{EXPORTS}/{export['id']}{path}", token=other)
            self.assertProblem(response, 404, "NOT_FOUND")
            self.assertProblem(self.get(f"{EXPORTS}/{uuid4()}{path}", token=other), 404, "NOT_FOUND")
        self.assertEqual(self.get(EXPORTS, token=other).json()["results"], [])
        self.assertAudited("audit.exported", times=0)

    def test_the_exports_of_staff_are_of_the_whole_log_and_nobody_elses(self):
        token = self.auditor()
        theirs = self.act(by=chitra(), company=asha().company.subject)
        seal_pending()
        mine, whole = self.create(), self.create(token=token)
        self.assertIn(str(theirs.event_id).encode(), self.read(whole, token=token))
        self.assertProblem(self.fetch(whole), 404, "NOT_FOUND")
        self.assertProblem(self.fetch(mine, token=token), 404, "NOT_FOUND")
        self.assertEqual([one["id"] for one in self.ask(EXPORTS)["results"]], [mine["id"]])

    def test_other_roles_and_staff_of_other_groups_are_refused_and_marked(self):
        export = self.create()
        people = [bilal(company=self.asha.company, role=role) for role in set(Role) - {Role.ADMIN}]
        people.append(with_factor(hire(StaffRole.SUPPORT, email="eve@staff.example.in")).user)
        for person in people:
            token = sign_in(user=person, amr="pwd otp").tokens.access
            for response in (
                self.post(EXPORTS, YEAR, token=token),
                self.get(EXPORTS, token=token),
                self.get(f"{EXPORTS}/{export['id']}", token=token),
                self.get(f"{EXPORTS}/{export['id']}/file", token=token),
            ):
                self.assertProblem(response, 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=4 * len(people))
        self.assertEqual(AuditExport.objects.count(), 1)

    def test_an_auditor_without_a_second_factor_is_refused(self):
        new = hire(StaffRole.AUDITOR, email="new@staff.example.in").user
        token = sign_in(user=new, amr="pwd").tokens.access
        self.assertProblem(self.post(EXPORTS, YEAR, token=token), 403, "2FA_SETUP_REQUIRED")

    def test_erasing_a_company_takes_its_exports_along(self):
        self.create()
        company = self.asha.company
        self.asha.delete()
        company.delete()
        self.assertFalse(AuditExport.objects.exists())


class BadRequests(ExportCase):
    """What cannot be meant is told at its field, and nothing is kept or recorded."""

    def test_each_at_its_field(self):
        times = {"from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z"}
        for field, body in (
            ("financialYear", {"format": "csv"}),
            ("financialYear", {"financialYear": "2026", "format": "csv"}),
            ("financialYear", {"financialYear": "2026-28", "format": "csv"}),
            ("financialYear", {"financialYear": "2027-28", "format": "csv"}),
            ("financialYear", {"financialYear": "1999-00", "format": "csv"}),
            ("financialYear", {"financialYear": "0001-02", "format": "csv"}),
            ("financialYear", {"financialYear": "2" * 200, "format": "csv"}),
            ("financialYear", {"financialYear": ["2026-27"], "format": "csv"}),
            ("financialYear", {**YEAR, **times}),
            ("financialYear", {**YEAR, "to": times["to"]}),
            ("format", {"financialYear": "2026-27"}),
            ("format", {"financialYear": "2026-27", "format": "xlsx"}),
            ("from", {"to": times["to"], "format": "csv"}),
            ("to", {"from": times["from"], "format": "csv"}),
            ("to", {"from": times["to"], "to": times["from"], "format": "csv"}),
            ("to", {"from": times["to"], "to": times["to"], "format": "csv"}),
            ("from", {**times, "from": "yesterday", "format": "csv"}),
            ("to", {**times, "to": "9999-12-31T23:59:59Z", "format": "csv"}),
            ("from", {**times, "from": "0001-01-01", "format": "csv"}),
        ):
            with self.subTest(body=body):
                self.assertProblem(self.post(EXPORTS, body, token=self.token), 400, "VALIDATION_FAILED", field=field)
        self.assertFalse(AuditExport.objects.exists())
        self.assertAudited("audit_export.created", times=0)

    def test_the_ends_of_the_calendar_are_times_like_any_other(self):
        for body in (
            {"financialYear": "2000-01", "format": "csv"},
            {"from": "0001-01-02T00:00:00Z", "to": "9999-12-30T00:00:00Z", "format": "csv"},
            {"from": "0001-01-01T00:00:00Z", "to": "2026-12-02T00:00:00Z", "format": "csv"},
        ):
            response = self.post(EXPORTS, body, token=self.token)
            self.assertEqual(response.status_code, 201, response.content)
            self.read(response.json())
        self.assertEqual(len(self.ask(EXPORTS)["results"]), 3)

    def test_before_anything_is_signed_one_is_asked_to_come_back(self):
        with mock.patch.object(exports, "last_signed", return_value=None):
            response = self.post(EXPORTS, YEAR, token=self.token)
        self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
        self.assertEqual(response["Retry-After"], "10")
        self.assertFalse(AuditExport.objects.exists())
