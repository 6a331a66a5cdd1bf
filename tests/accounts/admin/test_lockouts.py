"""The page "Locked accounts": whom the locks that stand are on, as far as can be known, and how one is lifted."""

import re
from html import unescape
from unittest import mock

from django.db import OperationalError, connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts.identity.models import User
from accounts.identity.trail import subject_of
from accounts.passwords.reset import queue_password_reset
from accounts.staff import StaffRole, locks
from security.audit import Action, disclosed_values, record_refusal
from security.breaker import breaker
from security.context import Client, RequestContext, bind
from security.limits import counting
from security.lockout import CredentialCounter, remember_device, reserve
from security.outbox import deliver_due
from tests.accounts.admin.door import AdminTestCase
from tests.factories import PASSWORD, asha, bilal

PAGE = "/admin/security/credentialcounter/"
ADDRESS_ACT = f"{PAGE}address/"
HERE = "127.0.0.1"
WHY = "called back, the tries were hers"
# Six for the door and four for the mark, as for any list; two for locks, three for who was refused, one for people.
QUERIES = {"sqlite": 16, "postgresql": 15}  # PostgreSQL takes the event and the client's address in one


class LockedAccountsCase(AdminTestCase):
    def make(self):
        self.person = asha(email="asha@lotus.example.in")

    def guess(self, times: int = 5, person: User | None = None, *, email: str = "") -> None:
        """Wrong passwords from here, counted and marked as by the sign-in, without the hash, which proves nothing."""
        person = None if email else person or self.person
        client = RequestContext(request_id="guess", client=Client(address=HERE, user_agent=""))
        with bind(client):
            for _ in range(times):
                reserve(account=person.email if person else email, address=HERE)
                record_refusal(Action.SESSION_CREATE_REFUSED, target=subject_of(person))

    def rows(self) -> list[list[str]]:
        """The words in the cells of each lock."""
        response = self.client.get(PAGE)
        self.assertEqual(response.status_code, 200, response.content)
        body = response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
        return [[" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in row] for row in cells]

    def assertLocked(self, person) -> None:
        response = self.post("/api/auth/login", {"email": person.email, "password": PASSWORD})
        self.assertProblem(response, 429, "ACCOUNT_LOCKED")

    def act_on(self, person) -> str:
        return f"{PAGE}person/{person.pk}/"


class WhatStands(LockedAccountsCase):
    """Who is locked, how, since when, until when, after how many failures."""

    def make(self):
        super().make()
        self.omar = self.enter()

    def test_a_locked_person_is_named(self):
        for seconds in (0, 0, 0, 0, 60):
            self.clock.advance(seconds=seconds)
            self.post("/api/auth/login", {"email": self.person.email, "password": "wrong"})
        began, since, until = "24 Nov, 11:30:30", "24 Nov, 11:31:30", "24 Nov, 11:46:30"  # India's
        expected = [self.person.email, "the account at one address", "5", began, since, until, "Unlock…"]
        self.assertEqual(self.rows(), [expected])

    def test_who_failed_less_often_is_not_listed_nor_a_lock_that_is_over(self):
        self.guess(4)
        self.assertContains(self.client.get(PAGE), "Nothing is locked now.")
        self.guess(1)
        self.assertEqual(len(self.rows()), 1)
        self.clock.advance(seconds=900)
        self.assertEqual(self.rows(), [])

    def test_an_address_that_nobody_has_is_not_known_and_offers_no_act(self):
        self.guess(5, email="nobody@example.in")
        self.assertEqual([(row[0], row[-1]) for row in self.rows()], [("not known", "")])
        self.assertNotIn(b"nobody@example.in", self.client.get(PAGE).content)

    def test_a_person_whose_refusals_are_beyond_the_bound_is_not_named(self):
        self.guess()
        self.guess(4, bilal(company=self.person.company))
        with mock.patch.object(locks, "MOST_EVENTS", 4):
            self.assertEqual(self.rows()[0][0], "not known")
        self.assertEqual(self.rows()[0][0], self.person.email)

    @override_settings(LOCKOUT_ACCOUNT_LIMIT=5, LOCKOUT_ADDRESS_LIMIT=5)
    def test_account_and_address_as_a_whole_are_told_apart(self):
        self.guess()
        self.assertEqual(
            {(row[0], row[1], row[-1]) for row in self.rows()},
            {
                (self.person.email, "the account at one address", "Unlock…"),
                (self.person.email, "the account, from everywhere", "Unlock…"),
                ("all behind it", "one address, for every account", "Unlock…"),
            },
        )

    def test_a_full_known_device_is_told_as_such(self):
        with bind(RequestContext(request_id="", client=Client(address=HERE, user_agent=""))):
            remember_device(self.person.email)
        self.guess(15)
        self.assertIn("the account on one of its known devices", [row[1] for row in self.rows()])

    def test_too_many_requests_for_reset_links_are_told_as_such(self):
        for _ in range(5):
            queue_password_reset(email=self.person.email)
        with self.captureOnCommitCallbacks(execute=True):
            deliver_due()
        ((who, what, *_, act),) = self.rows()
        self.assertEqual((who, what, act), (self.person.email, "reset links, asked for from one address", ""))

    def test_it_says_what_it_cannot_show(self):
        page = self.client.get(PAGE).content.decode()
        self.assertIn("What this page cannot show", page)
        self.assertRegex(page, r"one session\.locked_out an\s+account, address and minute; the next has how many")
        self.assertNotIn("these are the latest", page)
        self.guess()
        with mock.patch("security.lockout.standing.MOST_READ", 1):
            self.assertContains(self.client.get(PAGE), "these are the latest")

    def test_no_digest_and_no_client_address_stands_on_it(self):
        self.guess()
        page = self.client.get(PAGE).content.decode()
        for counter in CredentialCounter.objects.all():
            for text in filter(None, (counter.key, counter.account, counter.address)):
                self.assertNotIn(text, page)
        self.assertNotIn(HERE, page)

    def test_reading_it_leaves_a_mark_and_without_one_nothing_is_shown(self):
        self.guess()
        self.client.get(PAGE)
        self.assertAudited("list.viewed", actor=self.omar.user)
        data = self.data_of("list.viewed")[0]
        self.assertEqual((data["model"], data["rows"]), ("credentialcounter", 1))
        with mock.patch("security.audit.models.AuditEvent.save", side_effect=OperationalError("disk full")):
            response = self.client.get(PAGE)
        self.assertProblem(response, 503, "SERVICE_UNAVAILABLE")
        self.assertNotIn(self.person.email.encode(), response.content)

    def test_the_overview_leads_to_it(self):
        self.assertRegex(self.client.get("/admin/").content.decode(), f'<a href="{PAGE}".*>Locked accounts</a>')

    def test_it_carries_a_policy_without_inline_code(self):
        self.guess()
        for path in (PAGE, ADDRESS_ACT, self.act_on(self.person)):
            response = self.client.get(path)
            self.assertNotIn("unsafe", response.headers["Content-Security-Policy"])
            page = response.content.decode()
            self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page), [])

    def test_it_costs_the_same_for_one_lock_and_for_many(self):
        self.client.get(PAGE)  # content types are cached from here on
        self.guess()
        few = self.count()
        for number in range(5):
            self.guess(5, asha(email=f"person{number}@lotus.example.in"))
        budget = QUERIES[connection.vendor]
        self.assertEqual((few, self.count(), len(self.rows())), (budget, budget, 6))

    def count(self) -> int:
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(self.client.get(PAGE).status_code, 200)
        return len(captured)

    def test_it_needs_no_redis(self):
        self.guess()
        self.addCleanup(breaker.succeeded)
        away = mock.patch.object(counting.shared_counters, "count", side_effect=RedisConnectionError)
        with override_settings(IS_CACHE_SHARED=True), away as asked:
            self.assertEqual(self.rows()[0][0], self.person.email)
            self.client.post(self.act_on(self.person), {"reason": WHY})
        self.assertTrue(asked.called)
        self.assertEqual(self.rows(), [])


class LiftingOne(LockedAccountsCase):
    """A page that says what will happen and asks why; then the command's service, and its mark with the reason."""

    def make(self):
        super().make()
        self.omar = self.enter()

    def setUp(self):
        super().setUp()
        self.guess()

    def unlock(self, path: str, **given: str):
        return self.client.post(path, given, follow=True)

    def test_it_asks_first_and_changes_nothing(self):
        page = self.client.get(self.act_on(self.person)).content.decode()
        self.assertIn(f"stand against {self.person.email}", page)
        self.assertAudited("user.viewed", actor=self.omar.user, target=self.person)
        self.assertLocked(self.person)

    def test_with_a_reason_the_right_password_is_taken_again_and_a_second_time_nothing_stands(self):
        response = self.unlock(self.act_on(self.person), reason=WHY)
        self.assertContains(response, f"The lock-out of {self.person.email} is lifted.")
        self.assertEqual(response.redirect_chain, [(PAGE, 302)])
        self.log_in(self.person)
        self.assertContains(self.unlock(self.act_on(self.person), reason=WHY), "No failed sign-ins stood against")

    def test_the_mark_names_who_whom_and_why(self):
        self.unlock(self.act_on(self.person), reason=WHY)
        self.assertAudited("account.unlocked", actor=self.omar.user, target=self.person)
        event = self.audited("account.unlocked")[0]
        self.assertEqual(event.company, self.person.company.subject_id)
        data = {name: value for name, value in event.parsed_leaf().data.items() if name != "agent"}
        self.assertEqual(data, {"counters": 2, "locks": 1, "surface": "admin"})
        self.assertNotIn(WHY.encode(), bytes(event.leaf))
        self.assertEqual(disclosed_values(event=event)["reason"], WHY)

    def test_without_a_reason_it_is_not_lifted(self):
        for reason in ("", "  ", "x" * 201, "a\0b"):
            self.assertContains(self.unlock(self.act_on(self.person), reason=reason, sent="1"), "errorlist")
        self.assertLocked(self.person)
        self.assertAudited("account.unlocked", times=0)

    def test_the_neighbour_stays_locked(self):
        neighbour = bilal(company=self.person.company)
        self.guess(5, neighbour)
        self.unlock(self.act_on(self.person), reason=WHY)
        self.assertLocked(neighbour)

    @override_settings(LOCKOUT_ADDRESS_LIMIT=6)
    def test_an_office_is_freed_by_its_address_and_no_account_with_it(self):
        neighbour = bilal(company=self.person.company)
        self.guess(1, neighbour)
        self.assertLocked(neighbour)
        self.assertContains(self.unlock(ADDRESS_ACT, address=HERE, reason=WHY), f"The lock-out of {HERE} is lifted.")
        self.log_in(neighbour)
        self.assertLocked(self.person)
        event = self.audited("account.unlocked")[0]
        self.assertEqual((event.actor, event.target), (self.omar.user.subject_id, None))
        told = disclosed_values(event=event)
        self.assertEqual((told["unlocked_address"], told["reason"]), (HERE, WHY))

    def test_what_is_no_address_is_told_as_such(self):
        response = self.unlock(ADDRESS_ACT, address="10.0.0", reason=WHY)
        self.assertContains(response, "Enter a valid IPv4 or IPv6 address.")
        self.assertAudited("account.unlocked", times=0)

    def test_it_needs_the_csrf_token_of_its_page(self):
        self.client.handler.enforce_csrf_checks = True
        for path in (self.act_on(self.person), ADDRESS_ACT):
            response = self.client.post(path, {"reason": WHY, "address": HERE})
            self.assertProblem(response, 403, "CSRF_FAILED")
        self.assertAudited("account.unlocked", times=0)


class WhoMay(LockedAccountsCase):
    """Those who may lift a lock-out see the page; auditors, who have neither right, do not."""

    def test_each_role(self):
        self.guess()
        for role in StaffRole:
            self.enter(role, email=f"{role.lower()}@staff.example.in")
            paths = (PAGE, self.act_on(self.person), ADDRESS_ACT)
            with self.subTest(role=role):
                if role is StaffRole.AUDITOR:
                    for path in paths:
                        self.assertProblem(self.client.get(path), 403, "INSUFFICIENT_PERMISSIONS")
                    self.assertNotContains(self.client.get("/admin/"), PAGE)
                    self.assertAudited("permission.denied", times=3)
                else:
                    self.assertEqual([self.client.get(path).status_code for path in paths], [200, 200, 200])
            self.client.logout()

    def test_who_may_only_read_sees_no_act_and_is_refused_it(self):
        self.guess()
        omar = self.enter(StaffRole.SUPPORT)
        group = omar.user.groups.get()
        group.permissions.remove(group.permissions.get(codename="delete_credentialcounter"))
        self.assertEqual(self.rows()[0][-1], "24 Nov, 11:45:00")
        for path in (self.act_on(self.person), ADDRESS_ACT):
            for response in (self.client.get(path), self.client.post(path, {"reason": WHY, "address": HERE})):
                self.assertProblem(response, 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=4, actor=omar.user)
        self.assertLocked(self.person)

    def test_who_may_not_see_people_does_not_see_whom_a_lock_is_on(self):
        omar = self.enter(StaffRole.SUPPORT)
        group = omar.user.groups.get()
        group.permissions.remove(group.permissions.get(codename="view_user"))
        self.assertProblem(self.client.get(PAGE), 403, "INSUFFICIENT_PERMISSIONS")

    def test_strangers_are_sent_to_the_door(self):
        for path in (PAGE, ADDRESS_ACT):
            self.assertOutside(path)
