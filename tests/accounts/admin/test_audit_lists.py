"""The audit log in the admin: what auditors find, and the mark of each look."""

import re
from html import unescape
from unittest.mock import patch

from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import services
from accounts.audit.years import FinancialYear
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from accounts.staff.acts import RightMissing
from security.audit import Action, Outcome, Wanted, disclosed_values
from security.operator_account import operator_name
from security.retention import place_log_hold
from tests.accounts.admin.auditors import LIST, AuditCase
from tests.factories import asha, bilal

# Six for the door, four for the mark (PostgreSQL: three, event and address in one), one for the events, one for keys,
# people and companies each, two for how far the log is proved. Where there is another page, PostgreSQL is asked for its
# estimate.
LIST_QUERIES = {"sqlite": 16, "postgresql": 15}


class Lists(AuditCase):
    """Newest first, by keyset; names in place of pseudonyms; each search along an index or bounded."""

    def test_an_event_is_named_with_people_and_company_and_no_pseudonym(self):
        self.act()
        row = self.rows(type="profile.updated")[0]
        self.assertEqual(
            row[1:], ["profile.updated", "success", self.person.email, "–", self.person.company.name, "not sealed yet"]
        )
        page = self.client.get(LIST).content.decode()
        for subject in (self.person.subject_id, self.person.company.subject_id, self.omar.user.subject_id):
            self.assertNotIn(str(subject), page)

    def test_who_gave_a_command_is_named_by_their_account(self):
        place_log_hold(reason="CASE-12")
        self.assertEqual(self.rows(type="retention.hold_placed")[0][3], f"{operator_name()} (command)")
        told = self.text_of(self.audited("retention.hold_placed")[0])
        self.assertIn(f'<th scope="row">Who did it</th><td>{operator_name()} (command)</td>', told)

    def test_words_break_at_their_joints_and_markup_in_them_is_none(self):
        self.person.company.name = "<i>A.B"
        self.person.company.save()
        self.act(Action.SECOND_FACTOR_SETUP_STARTED)
        page = self.client.get(LIST).content.decode()
        self.assertIn("<td>second_<wbr>factor.<wbr>setup_<wbr>started</td>", page)
        self.assertIn("<td>asha@<wbr>lotus.<wbr>example.<wbr>in</td>", page)
        self.assertIn("<td>&lt;i&gt;A.<wbr>B</td>", page)

    def test_who_was_erased_is_shown_as_such_and_found_by_pseudonym(self):
        event = self.act(actor=(gone := bilal(company=self.person.company)).subject)
        pseudonym = gone.subject_id
        gone.subject.destroy(at=timezone.now())
        gone.delete()
        self.assertEqual([row[3] for row in self.rows(actor=str(pseudonym))], ["erased"])
        self.assertIn("erased", self.text_of(event))

    def test_each_criterion_finds_its_events_and_no_other(self):
        other = bilal(company=asha(email="chitra@other.example.in").company)
        self.act(
            Action.PASSWORD_CHANGE_REFUSED,
            actor=other.subject,
            target=other.subject,
            company=other.company.subject,
            address="198.51.100.7",
            request_id="req-2",
        )
        event = self.act()
        refused, updated = ["password.change_refused"], ["profile.updated"]
        for found, question in (
            (refused, {"actor": other.email}),
            (refused, {"actor": str(other.pk)}),
            (refused, {"actor": str(other.subject_id)}),
            (refused, {"target": other.email}),
            (refused, {"company": str(other.company.pk)}),
            (refused, {"type": "password.change_refused"}),
            (refused, {"outcome": "refused"}),
            (refused, {"request_id": "req-2"}),
            (refused, {"address": "198.51.100.7"}),
            (refused, {"address": "::ffff:198.51.100.7"}),
            (refused, {"audit_class": "auth", "outcome": "refused", "actor": other.email}),
            (updated, {"actor": self.person.email}),
            (updated, {"audit_class": "account"}),
            (updated, {"request_id": "req-1"}),
            (updated, {"event_id": str(event.event_id)}),
            (updated, {"event_id": str(event.event_id).upper(), "actor": self.person.email}),
            ([], {"event_id": str(event.event_id), "outcome": "refused"}),
            ([], {"actor": self.person.email, "outcome": "refused"}),
        ):
            with self.subTest(question=question):
                self.assertEqual(self.types(**question), found)

    def test_times_are_indias_and_the_end_is_left_out(self):
        self.act()
        at = timezone.now()
        self.clock.advance(seconds=900)
        self.act(Action.COMPANY_UPDATED)
        there = timezone.localtime(at)
        later = timezone.localtime()
        text = "%Y-%m-%dT%H:%M:%S"
        self.assertEqual(self.types(since=f"{later:{text}}", actor=self.person.email), ["company.updated"])
        self.assertEqual(self.types(until=f"{later:{text}}", actor=self.person.email), ["profile.updated"])
        self.assertEqual(
            self.types(since=f"{there:{text}}", until=f"{later:{text}}", company=self.person.company.email),
            ["profile.updated"],
        )
        self.assertEqual(self.types(since="2030-01-01T00:00"), [])

    def test_pages_follow_one_another_without_gap_or_repetition(self):
        for number in range(120):
            self.act(request_id=f"r{number}")
        seen, path = [], f"{LIST}?actor={self.person.pk}"
        while path:
            page = self.client.get(path).content.decode()
            seen += [int(pk) for pk in re.findall(r"auditevent/(\d+)/change/", page)]
            older = re.search(r'href="([^"]*)" rel="next"', page)
            path = f"{LIST}{unescape(older[1])}" if older else ""
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual((len(seen), len(set(seen))), (120, 120))

    def test_a_search_that_no_index_has_says_where_it_stopped(self):
        self.act(outcome=Outcome.FAILED)
        for _ in range(6):
            self.act()
            self.act(actor=None, outcome=Outcome.FAILED)
        question = {"actor": str(self.person.pk), "outcome": "failed"}
        with patch.multiple("security.audit.search", FEW_LOOKED_AT=2, MOST_LOOKED_AT=5):
            page = self.client.get(LIST, question)
            self.assertContains(page, "This search has no index of its own")
            self.assertContains(page, "No event was found here.")
            older = unescape(re.search(r'href="([^"]*)" rel="next"', page.content.decode())[1])
            found = self.client.get(LIST + older)
        self.assertContains(found, "profile.<wbr>updated</td>")
        self.assertContains(found, "These are the last.")

    def test_a_longer_list_says_about_how_many_there_are_where_the_database_knows(self):
        for _ in range(60):
            self.act()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        question = {"type": "profile.updated"}
        first = self.client.get(LIST, question).content.decode()
        about = re.search(r"50 shown( of about ([0-9,]+))?, the newest first", first)
        if connection.vendor == "postgresql":
            self.assertAlmostEqual(
                int(about[2]), 60, delta=6
            )  # rows of other tests, rolled back, weigh in its estimate
        else:
            self.assertIsNone(about[2])
        older = unescape(re.search(r'href="([^"]*)" rel="next"', first)[1])
        self.assertContains(self.client.get(LIST + older), "10 shown, the newest first")

    def test_a_search_that_the_database_gives_up_is_told_and_shows_nothing(self):
        with patch("security.audit.search._newest", side_effect=OperationalError("no answer within 6 s")):
            response = self.client.get(LIST, {"outcome": "failed"})
        self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
        self.assertTrue(response["Retry-After"])
        self.assertAudited("list.viewed", times=0)

    def test_what_cannot_be_meant_is_told_at_its_field_and_nothing_is_searched(self):
        for field, text in (
            ("since", "yesterday"), ("until", "0001-01-01T00:00"), ("actor", "nobody@example.in"), ("type", "x"),
            ("address", "300.1.1.1"), ("company", "\x00@x.in"), ("request_id", "x" * 200), ("outcome", "'"),
        ):  # fmt: skip
            with self.subTest(field=field):
                response = self.client.get(LIST, {field: text})
                self.assertContains(response, "errorlist")
                self.assertNotContains(response, "result_list")
        self.assertAudited("list.viewed", times=0)

    def test_a_cursor_that_is_none_begins_at_the_newest(self):
        for before in ("x", "-1", "9" * 30, "²", ""):
            self.assertIn("second_factor.enabled", [*self.types(before=before), "second_factor.enabled"])
        self.assertEqual(self.rows(before="0"), [])

    def test_the_statements_of_a_page_do_not_grow_with_its_rows(self):
        for count in (5, 60):
            for _ in range(count):
                self.act()
            with CaptureQueriesContext(connection) as queries:
                self.client.get(LIST)
            told = [query["sql"] for query in queries]
            estimates = [sql for sql in told if sql.startswith("EXPLAIN")]
            self.assertEqual(len(told) - len(estimates), LIST_QUERIES[connection.vendor], "\n".join(told))
            self.assertEqual(len(estimates), int(count == 60 and connection.vendor == "postgresql"))
            self.assertEqual([sql for sql in told if "COUNT(" in sql and "audit_event" in sql], [])


class Marks(AuditCase):
    """Who looked at whose data is itself an event, once a page."""

    def test_a_list_is_one_event_with_what_was_sought_as_a_commitment(self):
        self.act()
        self.rows(actor=self.person.email, outcome="success")
        self.assertAudited("list.viewed", actor=self.omar.user)
        event = self.audited("list.viewed")[0]
        data = event.parsed_leaf().data
        self.assertEqual((data["model"], data["filters"], data["rows"]), ("auditevent", ["actor", "outcome"], 1))
        self.assertNotIn(self.person.email.encode(), bytes(event.leaf))
        self.assertEqual(disclosed_values(event=event)["sought"]["filters"]["actor"], self.person.email)

    def test_an_event_page_names_whose_data_was_read(self):
        event = self.act()
        self.text_of(event)
        self.assertAudited("audit_event.viewed", actor=self.omar.user, target=self.person)
        mark = self.audited("audit_event.viewed")[0]
        self.assertEqual(mark.company, self.person.company.subject_id)
        self.assertEqual(mark.session_id, str(Session.objects.get(user=self.omar.user).pk))
        self.assertEqual(
            mark.parsed_leaf().data, {"event": str(event.event_id), "type": "profile.updated", "surface": "admin"}
        )

    def test_where_the_mark_cannot_be_written_nothing_is_shown(self):
        event = self.act()
        for path in (LIST, f"{LIST}{event.pk}/change/", f"{LIST}{event.pk}/event/"):
            with patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full")):
                response = self.client.get(path)
            self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
            self.assertNotIn(self.person.email.encode(), response.content)

    def test_support_reads_none_of_it_and_the_attempt_is_marked(self):
        event = self.act()
        self.client.logout()
        eve = self.enter(StaffRole.SUPPORT, email="eve@staff.example.in")
        paths = ["", "years/", "years/2026/csv/", *(f"{event.pk}/{page}/" for page in ("change", "proof", "event"))]
        for path in paths:
            self.assertProblem(self.client.get(LIST + path), 403, "INSUFFICIENT_PERMISSIONS")
        self.assertProblem(
            self.client.post(f"{LIST}{event.pk}/disclose/", {"reason": "x"}), 403, "INSUFFICIENT_PERMISSIONS"
        )
        self.assertAudited("permission.denied", times=len(paths) + 1, actor=eve.user)

    def test_the_right_to_the_log_without_that_to_people_is_not_enough(self):
        group = self.omar.user.groups.get()
        group.permissions.remove(group.permissions.get(codename="view_user"))
        self.assertProblem(self.client.get(LIST), 403, "INSUFFICIENT_PERMISSIONS")

    def test_the_services_ask_for_the_right_themselves(self):
        event = self.act()
        group = self.omar.user.groups.get()
        group.permissions.remove(group.permissions.get(codename="view_auditevent"))
        by = Session.objects.get(user=self.omar.user)
        acts = (
            lambda: services.list_events(by=by, wanted=Wanted(), sought={}),
            lambda: services.read_event(by=by, event=event),
            lambda: services.disclose(by=by, event=event, reason="x"),
            lambda: services.take_proof(by=by, event=event),
            lambda: services.take_leaf(by=by, event=event),
            lambda: services.take_year(by=by, year=FinancialYear(2026), form="csv"),
        )
        for act in acts:
            with self.assertRaises(RightMissing):
                act()
