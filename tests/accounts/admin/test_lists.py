"""Who looked at whose data is itself an event: lists leave a mark as single pages do, and nothing browses past it."""

import re
from unittest.mock import patch

from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError
from django.urls import NoReverseMatch, reverse

from accounts.identity.models import User
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from security.audit import disclosed_values
from tests.accounts.admin.door import AdminTestCase
from tests.factories import a_company, a_person, asha

PEOPLE = "/admin/accounts/user/"


class WhatAListSays(AdminTestCase):
    """Columns in the words of who reads them."""

    def test_the_role_of_staff_is_theirs_in_the_admin(self):
        self.enter(StaffRole.AUDITOR)
        asha()
        page = self.client.get(PEOPLE).content.decode()
        self.assertEqual(re.findall('class="field-acts_as">([^<]*)<', page), ["ADMIN", "Auditor"])

    def test_a_session_is_of_a_program(self):
        omar = self.enter()
        for path in ("/admin/accounts/session/", self.page_of(Session.objects.get(user=omar.user))):
            page = self.client.get(path).content.decode()
            self.assertRegex(page, r">\s*Program:?\s*<")
            self.assertNotRegex(page, "(?i)client label")

    def test_it_is_named_for_what_it_lists_and_says_whose_times_it_has(self):
        omar = self.enter()
        for path, title in (
            (PEOPLE, "Users"),
            ("/admin/accounts/session/", "Sessions"),
            ("/admin/monitoring/errorgroup/", "Error groups"),
            ("/admin/security/securityauditrun/", "Security audit runs"),
            (self.page_of(omar.user), "View user"),
        ):
            with self.subTest(path):
                page = self.client.get(path)
                self.assertContains(page, f"<h1>{title}</h1>")
                self.assertContains(page, "Times are those of India.", count=1)
        self.assertEqual(
            re.findall(r"<summary>([^<]*)</summary>", self.client.get(PEOPLE).content.decode()),
            ["Role", "Is active", "Is staff", "Second factor"],
        )


class ListsLeaveAMark(AdminTestCase):
    """One event a list that was shown: who, which, how many rows; what was sought only as a commitment."""

    def make(self):
        self.omar = self.enter()
        self.person = asha(email="asha@lotus.example.in")

    def only(self):
        self.assertAudited("list.viewed", actor=self.omar.user)
        return self.audited("list.viewed")[0]

    def test_each_list_leaves_one(self):
        for model in ("user", "company", "session"):
            self.assertEqual(self.client.get(f"/admin/accounts/{model}/").status_code, 200)
        self.assertEqual([data["model"] for data in self.data_of("list.viewed")], ["user", "company", "session"])

    def test_it_says_who_which_and_how_much(self):
        self.client.get(PEOPLE)
        event = self.only()
        self.assertEqual(event.audit_class, "access")
        self.assertEqual(event.session_id, str(Session.objects.get(user=self.omar.user).pk))
        self.assertEqual(
            event.parsed_leaf().data,
            {"model": "user", "filters": [], "searched": False, "page": 1, "rows": 2, "surface": "admin"},
        )

    def test_a_search_is_committed_to_and_disclosed_by_its_key_alone(self):
        self.client.get(PEOPLE, {"q": "asha@lotus"})
        event = self.only()
        self.assertNotIn(b"lotus", bytes(event.leaf))
        self.assertEqual((event.parsed_leaf().data["searched"], event.parsed_leaf().data["rows"]), (True, 1))
        self.assertEqual(disclosed_values(event=event)["sought"], {"search": "asha@lotus", "filters": {}})
        self.omar.user.subject.destroy(at=self.person.created_at)
        self.assertEqual(disclosed_values(event=event), {})

    def test_filters_are_named_in_clear_and_their_values_committed_to(self):
        company = self.person.company
        self.client.get(PEOPLE, {"company__id__exact": company.pk, "second_factor": "off", "role__exact": "x@y.in"})
        event = self.only()
        data = event.parsed_leaf().data
        self.assertEqual((data["filters"], data["rows"]), (["company__id__exact", "role__exact", "second_factor"], 0))
        for value in (str(company.pk), "x@y.in"):
            self.assertNotIn(value.encode(), bytes(event.leaf))
        self.assertEqual(
            disclosed_values(event=event)["sought"]["filters"],
            {"company__id__exact": str(company.pk), "role__exact": "x@y.in", "second_factor": "off"},
        )

    def test_a_further_page_is_told_as_such(self):
        company = a_company()
        for _ in range(50):
            a_person(company=company)
        self.client.get(PEOPLE, {"p": 2})
        data = self.only().parsed_leaf().data
        self.assertEqual((data["page"], data["rows"]), (2, 2))
        self.assertEqual(self.client.get(PEOPLE, {"p": 99}).status_code, 302)  # shows nobody
        self.only()

    def test_a_page_that_is_none_is_told_as_the_one_shown(self):
        for page in ("99", "0", "-1", "x", "9" * 30):
            self.assertEqual(self.client.get(PEOPLE, {"p": page}).status_code, 200)
        self.client.get(PEOPLE, {"all": "", "p": "9" * 30})
        self.assertEqual([data["page"] for data in self.data_of("list.viewed")], [1] * 6)

    def test_odd_searches_are_marked_too(self):
        for text in ("\u0000", "\ud7ff\ufffd", "क" * 300, "%s'\"", "x" * 4000):
            self.assertEqual(self.client.get(PEOPLE, {"q": text}).status_code, 200)
        self.assertAudited("list.viewed", times=5)

    def test_asked_for_by_another_method_it_is_marked_too(self):
        self.client.head(PEOPLE)
        self.client.post(PEOPLE, {"action": "delete_selected"})
        self.assertAudited("list.viewed", times=2)

    def test_what_showed_nobody_leaves_none(self):
        self.assertEqual(self.client.get(PEOPLE, {"password__regex": "^b"}).status_code, 400)
        self.omar.user.groups.clear()
        self.assertEqual(self.client.get(PEOPLE).status_code, 403)
        self.assertAudited("list.viewed", times=0)

    def test_where_the_mark_cannot_be_written_nobody_is_shown(self):
        with patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full")):
            response = self.client.get(PEOPLE)
        self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
        self.assertNotIn(self.person.email.encode(), response.content)


class Completion(AdminTestCase):
    """Django's completion of names, by which people could be browsed without a mark, is not there."""

    QUERY = {"app_label": "accounts", "model_name": "session", "field_name": "user", "term": "a"}

    def test_it_has_no_address(self):
        self.enter()
        asha()
        self.assertProblem(self.client.get("/admin/autocomplete/", self.QUERY), 404, "NOT_FOUND")
        with self.assertRaises(NoReverseMatch):
            reverse("admin:autocomplete")


class AnywhereElse(AdminTestCase):
    """Django's way from a row to its page on a site, which asks any table whether it has the row, is not there."""

    def test_it_has_no_address(self):
        omar = self.enter()
        omar.user.groups.clear()
        people = ContentType.objects.get_for_model(User).pk
        for key in (asha().pk, "x", "1"):
            with self.subTest(key=key):
                self.assertProblem(self.client.get(f"/admin/r/{people}/{key}/"), 404, "NOT_FOUND")
        with self.assertRaises(NoReverseMatch):
            reverse("admin:view_on_site", args=[1, 1])
