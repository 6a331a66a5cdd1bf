"""An event in the admin: read, disclosed, proved and taken away."""

import csv
import io
import json
from datetime import UTC, datetime
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.years import FinancialYear, cell
from accounts.staff import StaffRole
from security.audit import AuditEvent, disclosed_values
from security.tlog import AuditAnchor, AuditCheckpoint, keep_verification, verify_bundle, verify_log
from security.tlog.note import COSIGNATURE, cosignature, verifier_key
from tests.accounts.admin.auditors import ELSEWHERE, LIST, AuditCase
from tests.accounts.audit.exports import hang_up
from tests.security.tlog.log import Intruder

# Beside door, mark, keys, people and companies: the event, its personal values and their keys; for its proof the
# checkpoint and two tiles; where it was sealed, and the verification.
PAGE_QUERIES = {"sqlite": 20, "postgresql": 19}


class Pages(AuditCase):
    """One event, readable; what was changed as old and new; personal values closed until a reason is given."""

    def test_personal_values_are_closed(self):
        page = self.text_of(self.act())
        self.assertIn("••••••", page)
        self.assertNotIn(ELSEWHERE, page)
        self.assertNotIn(str(self.person.subject_id), page)

    def test_disclosing_shows_them_once_and_leaves_the_reason(self):
        event = self.act()
        response = self.client.post(f"{LIST}{event.pk}/disclose/", {"reason": "incident 4712"})
        self.assertContains(response, ELSEWHERE)
        self.assertAudited("audit_event.disclosed", actor=self.omar.user, target=self.person)
        mark = self.audited("audit_event.disclosed")[0]
        self.assertNotIn(b"incident", bytes(mark.leaf))
        self.assertEqual(disclosed_values(event=mark)["reason"], "incident 4712")
        self.assertNotIn(ELSEWHERE, self.text_of(event))

    def test_without_a_reason_nothing_is_disclosed(self):
        event = self.act()
        response = self.client.post(f"{LIST}{event.pk}/disclose/", {"reason": " "})
        self.assertContains(response, "This field is required.")
        self.assertNotContains(response, ELSEWHERE)
        self.assertProblem(self.client.get(f"{LIST}{event.pk}/disclose/"), 405, "METHOD_NOT_ALLOWED")
        self.assertAudited("audit_event.disclosed", times=0)

    def test_what_was_erased_cannot_be_disclosed(self):
        event = self.act()
        self.person.subject.destroy(at=timezone.now())
        page = self.text_of(event)
        self.assertNotIn("Disclose", page)
        self.assertIn(">erased<", page)

    def test_a_personal_value_that_was_changed_is_told_and_not_shown(self):
        event = self.act()
        Intruder().run("UPDATE audit_pii SET ciphertext = %s WHERE event_id = %s", b"\x01" * 60, event.pk)
        response = self.client.post(f"{LIST}{event.pk}/disclose/", {"reason": "x"})
        self.assertContains(response, "not the one that the event commits to")

    def test_changes_are_shown_column_by_column_in_words(self):
        changes = [
            {
                "table": "accounts_user",
                "op": "update",
                "id": "7",
                "before": {"role": "VIEWER", "is_active": True, "end_reason": ""},
                "after": {"role": "ADMIN", "is_active": True, "end_reason": "logout"},
            },
            {"table": "accounts_user", "op": "insert", "id": "8", "before": None, "after": {"role": "<b>"}},
        ]
        page = self.client.get(f"{LIST}{self.act(data={'changes': changes}).pk}/change/").content.decode()
        self.assertIn("accounts_user 7: update", page)
        self.assertRegex(page, r'<th scope="row">role</th><td>− <del>VIEWER</del></td><td>\+ <ins>ADMIN</ins>')
        self.assertNotIn("is_active", page)
        self.assertRegex(page, r"<td>− <del>&quot;&quot;</del></td><td>\+ <ins>logout</ins>")  # empty, and there
        self.assertRegex(page, r"<td>not there</td><td>\+ <ins>&lt;b&gt;</ins>")

    def test_an_event_that_it_names_is_a_link(self):
        named = self.act()
        page = self.text_of(self.act(data={"by": str(named.event_id), "event": 3, "silence": str(self.omar.user.pk)}))
        self.assertIn(f'<a href="{LIST}{named.pk}/change/">{named.event_id}</a>', page)
        self.assertEqual(page.count("/change/"), 3)  # besides it the actor, and their company

    def test_whose_times_they_are_is_told(self):
        self.assertIn("Times are those of India. Values under", self.text_of(self.act()))

    def test_changes_in_no_form_of_ours_are_shown_as_they_stand(self):
        for odd in ("x", [1], {"table": 1}):
            self.assertIn("changes", self.text_of(self.act(data={"changes": odd})))
        self.text_of(self.act(data={"changes": [{"before": 3, "after": [1]}]}))

    def test_an_event_that_is_not_there_is_not_found(self):
        for pk in ("99999999", "9" * 30):
            self.assertProblem(self.client.get(f"{LIST}{pk}/change/"), 404, "NOT_FOUND")

    def test_the_statements_of_a_page(self):
        event = self.act()
        self.seal()
        with CaptureQueriesContext(connection) as queries:
            self.text_of(event)
        told = [query["sql"] for query in queries]
        self.assertEqual(len(told), PAGE_QUERIES[connection.vendor], "\n".join(told))


class Integrity(AuditCase):
    """How far an event is proved: sealed, witnessed, verified; and that a change shows on its very page."""

    def test_each_step_is_told(self):
        event = self.act()
        self.assertIn("not sealed yet", self.text_of(event))
        self.seal()
        size = AuditCheckpoint.objects.latest("size").size
        page = self.text_of(event)
        self.assertIn(f"sealed in checkpoint {size}", page)
        self.assertIn("leads to the signed root", page)
        self.assertIn("never verified here", page)
        keep_verification(verify_log())
        self.assertIn("verified on 24 Nov 2026, 11:30", self.text_of(event))
        self.assertIn("sealed", self.rows(type="profile.updated")[0][-1])

    def test_an_event_at_a_place_before_the_first_is_not_sealed(self):
        self.act()
        self.seal()
        event = self.act()
        Intruder().run("UPDATE audit_event SET tree_index = -1 WHERE id = %s", event.pk)
        self.assertIn("not sealed yet", self.text_of(event))
        self.assertEqual(self.rows(type="profile.updated")[0][-1], "not sealed yet")

    def test_a_witness_is_told(self):
        event = self.act()
        self.seal()
        private = Ed25519PrivateKey.generate()
        key = verifier_key("witness.example.in", private, algorithm=COSIGNATURE)
        last = AuditCheckpoint.objects.latest("size")
        line = cosignature(last.as_checkpoint().text, name=key.name, private=private, seen_at=1)
        AuditAnchor.objects.create(sink=key.name, size=last.size, note=last.note + line, seen_at=timezone.now())
        with self.settings(AUDIT_WITNESSES=[f"https://witness.example.in {key}"]):
            self.assertIn(f"witnessed in checkpoint {last.size}", self.text_of(event))
            self.assertEqual(self.rows(type="profile.updated")[0][-1], "sealed, witnessed")
            self.assertIn(line, self.client.get(f"{LIST}{event.pk}/proof/").content.decode())

    def test_an_event_that_was_changed_says_so_and_gets_no_proof(self):
        event = self.act()
        self.seal()
        forged = bytes(event.leaf).replace(b"success", b"refused")
        Intruder().run("UPDATE audit_event SET leaf = %s WHERE id = %s", forged, event.pk)
        self.assertIn("DOES NOT LEAD to the signed root", self.text_of(event))
        response = self.client.get(f"{LIST}{event.pk}/proof/", follow=True)
        self.assertContains(response, "There is no proof")
        Intruder().run("UPDATE audit_event SET leaf = %s WHERE id = %s", b"no leaf", event.pk)
        self.assertIn("was changed after it was recorded", self.text_of(event))

    def test_a_verification_that_found_something_is_told_on_every_page(self):
        event = self.act()
        self.seal()
        Intruder().run("UPDATE audit_event SET outcome = 'failed' WHERE id = %s", event.pk)
        keep_verification(verify_log())
        told = f"THE LOG was changed (first at place {AuditEvent.objects.get(pk=event.pk).tree_index}): found at"
        self.assertIn(told, self.text_of(event))
        self.assertIn(told, self.text_of(AuditEvent.objects.order_by("pk")[0]))
        self.assertContains(self.client.get(LIST), told)

    def test_an_event_from_after_the_last_verification_says_so(self):
        self.seal()
        keep_verification(verify_log())
        event = self.act()
        self.seal()
        page = self.text_of(event)
        self.assertIn("sealed after the last verification (24 Nov 2026, 11:30)", page)
        self.assertNotIn("never verified", page)


class TakenAway(AuditCase):
    """A proof, an event, a financial year: each as a file that its own verifier or a spreadsheet reads, each marked."""

    def test_a_strangers_verifier_checks_the_proof_against_the_event(self):
        event = self.act()
        self.seal()
        proof = self.client.get(f"{LIST}{event.pk}/proof/")
        leaf = self.client.get(f"{LIST}{event.pk}/event/")
        self.assertEqual(proof["Content-Disposition"], f'attachment; filename="{event.event_id}.tlog-proof"')
        self.assertEqual(leaf.content, bytes(event.leaf))
        key = verify_bundle.parse_key(AuditCheckpoint.objects.select_related("log").latest("size").log.verifier_key)
        told = verify_bundle.verify_single(proof.content.decode(), leaf.content, [key])
        self.assertIn("profile.updated", told[1])
        self.assertEqual([data.get("form") for data in self.data_of("audit.exported")], ["tlog-proof", "json"])

    def test_what_is_not_sealed_has_no_proof_yet(self):
        event = self.act()
        response = self.client.get(f"{LIST}{event.pk}/proof/", follow=True)
        self.assertContains(response, "There is no proof")
        self.assertAudited("audit.exported", times=0)

    def test_a_year_as_lines_has_each_sealed_event_byte_for_byte(self):
        self.act()
        self.seal()
        self.act()  # not sealed: left out
        lines = [json.loads(line) for line in self.stream(f"{LIST}years/2026/jsonl/").splitlines()]
        checkpoint = AuditCheckpoint.objects.latest("size")
        self.assertEqual((lines[0]["year"], lines[0]["checkpoint"]), ("2026-27", checkpoint.note))
        self.assertEqual([line["index"] for line in lines[1:-1]], list(range(checkpoint.size)))
        self.assertEqual(lines[-1], {"events": checkpoint.size})
        for line in lines[1:-1]:
            event = AuditEvent.objects.get(tree_index=line["index"])
            self.assertEqual(line["event"], json.loads(bytes(event.leaf)))

    def test_a_year_for_a_spreadsheet_has_names_no_pseudonyms_and_no_formulas(self):
        self.person.company.name = "=HYPERLINK(1)"
        self.person.company.save()
        self.act(request_id="@SUM(A1)")
        self.seal()
        text = self.stream(f"{LIST}years/2026/csv/").decode("utf-8-sig")
        row = [row for row in csv.DictReader(io.StringIO(text)) if row["action"] == "profile.updated"][-1]
        self.assertEqual((row["actor"], row["company"]), (self.person.email, "'=HYPERLINK(1)"))
        self.assertEqual((row["request id"], row["time"]), ("'@SUM(A1)", "2026-11-24T11:30:30.000+05:30"))
        self.assertNotIn(str(self.person.subject_id), text)
        self.assertEqual([cell(f"{sign}1")[0] for sign in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"], ["'"] * 11)

    def test_the_command_for_a_pack_is_whole(self):
        self.assertContains(self.client.get(f"{LIST}years/"), "auditor_pack --fy 2026-27 --reason TICKET")

    def test_a_year_ends_on_31_march_in_india(self):
        edge = datetime(2027, 3, 31, 18, 30, tzinfo=UTC)
        self.assertEqual(FinancialYear.of(edge).start, 2027)
        self.assertEqual(str(FinancialYear.of(edge.replace(minute=29))), "2026-27")
        self.assertEqual(FinancialYear(2026).wanted().until, edge)

    def test_taking_a_year_is_marked_and_a_year_without_events_is_not_there(self):
        self.seal()
        self.assertEqual(self.client.get(f"{LIST}years/2026/checkpoint/").status_code, 200)
        [data] = self.data_of("audit.exported")
        self.assertEqual((data["year"], data["form"]), ("2026-27", "checkpoint"))
        for path in ("2019/csv/", "2026/xlsx/", f"{'9' * 30}/csv/"):
            self.assertProblem(self.client.get(f"{LIST}years/{path}"), 404, "NOT_FOUND")

    def test_a_year_takes_the_place_that_staff_have_for_downloads(self):
        self.seal()
        path = f"{LIST}years/2026/jsonl/"
        first = self.client.get(path)
        self.assertRefused(path, 429, "RATE_LIMITED")
        self.client.logout()
        self.enter(StaffRole.AUDITOR, email="ivy@staff.example.in")
        self.assertRefused(path, 503, "BUSY")
        self.assertAudited("audit.exported", times=1)
        hang_up(first)
        with patch("accounts.audit.services.record_by", side_effect=OperationalError("disk full")):
            self.assertProblem(self.client.get(path), 503, "SERVICE_UNAVAILABLE")
        self.assertTrue(self.stream(path))

    def assertRefused(self, path: str, status: int, code: str) -> None:
        response = self.client.get(path)
        self.assertProblem(response, status, code)
        self.assertEqual(response["Retry-After"], "30")

    def test_before_anything_is_signed_there_is_no_year_to_take(self):
        self.assertContains(self.client.get(f"{LIST}years/2026/csv/", follow=True), "Nothing is sealed yet")
