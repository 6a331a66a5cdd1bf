"""`audit_retention`: what may go is said first, and goes only when two people of staff have agreed (ASVS 5.0 2.3.5)."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import override_settings

from accounts.staff import StaffRole
from security.audit import AuditEvent
from security.retention import RetentionRefused, open_plans
from security.retention.plans import check_approved, find_plan
from security.tlog import AuditAnchor, seal_pending
from security.tlog.note import COSIGNATURE, cosignature, verifier_key
from tests.accounts.admin.door import hire, with_factor
from tests.accounts.retention.keeping import OF_EACH, TICKET, WHOLE, Keeping
from tests.accounts.twofactor.authenticator import wrong_code
from tests.ports import free_port
from tests.security.tlog.log import Intruder


class DryRun(Keeping):
    """Alone, the command reads and says."""

    def test_each_class_with_its_floor_and_what_would_go(self):
        before = AuditEvent.objects.count()
        said = self.retention().splitlines()
        self.assertEqual(said[0], "Dry run, nothing was changed.")
        rows = {line.split()[0]: line.split()[1:] for line in said[2:]}
        self.assertEqual(rows["noise"], ["180", "days", "180", "days", "2025-02-01", str(OF_EACH), "0"])
        self.assertEqual(rows["auth"], ["366", "days", "366", "days", "2025-02-01", str(OF_EACH), "0"])
        self.assertEqual(rows["account"][-2:], ["0", "0"])
        self.assertEqual(rows["books"], ["3288", "days", "3288", "days", "-", "0", "0"])
        self.assertEqual(AuditEvent.objects.count(), before)

    def test_plans_that_wait_are_listed(self):
        plan = self.propose("--class", "noise")
        self.assertIn(f"plan {plan}: noise before 2026-05-", self.retention())
        self.assertIn(f"waits for a second person: --approve {plan}", self.retention())
        self.approve(plan)
        self.assertEqual(self.told()["plans"], [{"id": str(plan), "approved": True}])
        second = self.propose("--class", "auth")
        with self.assertNumQueries(2):  # the plans, and who approved any of them
            self.assertEqual([(one.id, bool(one.approved_by)) for one in open_plans()], [(plan, True), (second, False)])

    def test_events_that_are_not_sealed_do_not_count(self):
        self.clock.advance(seconds=-600 * 86_400)
        self.act(8)
        self.clock.advance(seconds=600 * 86_400)
        self.assertEqual({row["class"]: row["wouldGo"] for row in self.told()["classes"]}["noise"], OF_EACH)


class Floors(Keeping):
    """A setting lengthens what the law says, and never shortens it."""

    def test_longer_is_kept(self):
        with override_settings(AUDIT_RETENTION_DAYS=["noise=700"]):
            rows = {row["class"]: row for row in self.told()["classes"]}
            self.assertEqual((rows["noise"]["keptDays"], rows["noise"]["wouldGo"]), (700, 0))
            self.run_plan(self.agreed())
        self.assertEqual(self.left(), {"account": OF_EACH, "noise": OF_EACH})

    def test_shorter_is_refused_whatever_is_asked(self):
        plan = self.agreed("--class", "noise")
        for entry in ("noise=179", "auth=365", "books=2921"):
            with self.subTest(entry), override_settings(AUDIT_RETENTION_DAYS=[entry]):
                for act in ((), ("--run", plan, "--archive", self.archive)):
                    self.assertIn("must be kept for", self.refused(*act))
        self.assertEqual(self.left(), WHOLE)
        self.assertEqual(self.audited("retention.refused")[0].parsed_leaf().data["reason"], "floor")

    def test_a_setting_raised_after_the_approval_counts(self):
        plan = self.agreed("--class", "noise")
        with override_settings(AUDIT_RETENTION_DAYS=["noise=200"]):
            self.assertIn("noise is kept for 200 days", self.refused("--run", plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)


class TwoPeople(Keeping):
    """Each is shown by a code of their own; a refusal leaves one event and changes nothing."""

    def asked(self, act, staff, *more, code=None) -> str:
        code = self.code(staff) if code is None else code
        return self.refused(*act, "--operator", staff.user.email, "--code", code, *more)

    def assertRefused(self, reason: str, **who) -> None:
        self.assertAudited("retention.refused", **who)
        self.assertEqual(self.audited("retention.refused")[0].parsed_leaf().data["reason"], reason)
        self.assertEqual(self.left(), WHOLE)

    def test_both_and_why_are_in_the_log(self):
        plan = self.agreed("--class", "noise")
        self.assertAudited("retention.proposed", actor=self.omar.user)
        self.assertAudited("retention.approved", actor=self.ivy.user)
        proposed = self.audited("retention.proposed")[0]
        self.assertEqual((proposed.event_id, proposed.parsed_leaf().data["reason"]), (plan, TICKET))

    def test_nothing_goes_on_a_proposal(self):
        plan = self.propose()
        self.assertIn("waits for a second person", self.refused("--run", plan, "--archive", self.archive))
        self.assertRefused("not_approved")

    def test_an_approval_that_is_there_while_the_plan_is_read_counts_for_nothing(self):
        """Who owns the database can halt a run between any two statements, and take away what it has read."""
        plan = find_plan(self.propose())
        seal_pending()
        with self.assertRaisesRegex(RetentionRefused, "not what was sealed"):
            check_approved(replace(plan, approved_by=self.ivy.user.subject_id))

    def test_nor_does_another_event_that_was_made_to_look_like_one(self):
        plan, intruder = self.propose(), Intruder()
        self.refused("--approve", plan, "--operator", self.omar.user.email, "--code", self.code(self.omar))
        intruder.run("UPDATE audit_event SET type = 'retention.approved' WHERE type = 'retention.refused'")
        with self.assertRaisesRegex(RetentionRefused, "run audit_verify"):
            find_plan(plan)

    def test_who_proposed_cannot_approve(self):
        plan = self.propose()
        self.assertIn("ask a second person", self.asked(("--approve", plan), self.omar))
        self.assertRefused("same_person", target=self.omar.user)
        self.assertIn("waits", self.refused("--run", plan, "--archive", self.archive))

    def test_an_auditor_proposes_nothing(self):
        self.assertIn("is not Administrator", self.asked(("--propose",), self.ivy, "--reason", TICKET))
        self.assertRefused("role", target=self.ivy.user)

    def test_support_and_people_of_companies_approve_nothing(self):
        plan = self.propose()
        support = with_factor(hire(StaffRole.SUPPORT, email="eve@staff.example.in"))
        for email in ("eve@staff.example.in", self.asha.email):
            said = self.refused("--approve", plan, "--operator", email, "--code", self.code(support))
            self.assertIn("is not Administrator or Auditor", said)
        self.assertIn("nobody has the address", self.refused("--approve", plan, "--operator", "no@x.in", "--code", "1"))
        self.assertAudited("retention.refused", times=3)
        self.assertAudited("retention.approved", times=0)

    def test_who_left_approves_nothing(self):
        plan = self.propose()
        self.ivy.user.is_active = False
        self.ivy.user.save()
        self.assertIn("is not", self.asked(("--approve", plan), self.ivy))
        self.assertRefused("role", target=self.ivy.user)

    def test_a_name_without_a_code_proves_nothing(self):
        plan = self.propose()
        wrong = wrong_code(self.ivy.secret)
        self.assertIn("not valid", self.asked(("--approve", plan), self.ivy, code=wrong))
        self.assertAudited("second_factor.refused", target=self.ivy.user)
        self.assertRefused("code", target=self.ivy.user)

    def test_a_code_that_was_used_proves_nothing(self):
        plan, other, code = self.propose(), self.propose(), self.code(self.ivy)
        self.retention("--approve", plan, "--operator", self.ivy.user.email, "--code", code)
        self.assertIn("not valid", self.asked(("--approve", other), self.ivy, code=code))

    def test_without_a_second_factor_nobody_agrees(self):
        plan = self.propose()
        new = hire(StaffRole.AUDITOR, email="new@staff.example.in")
        self.assertIn("has no second factor", self.asked(("--approve", plan), new, code="123456"))
        self.assertRefused("no_factor", target=new.user)

    def test_a_plan_is_approved_once_and_is_over_after_thirty_days(self):
        plan = self.agreed()
        self.assertIn("approved already", self.asked(("--approve", plan), self.ivy))
        self.clock.advance(seconds=31 * 86_400)
        for act in (("--run", plan, "--archive", self.archive), ("--approve", plan)):
            self.assertIn("30 days old", self.refused(*act, "--operator", self.ivy.user.email))
        self.assertEqual(self.told()["plans"], [])

    def test_an_unknown_plan(self):
        for act in ("--run", "--approve"):
            self.assertIn("there is no plan", self.refused(act, self.omar.user.subject_id))
        self.assertAudited("retention.refused", times=2)
        self.assertIn("is no id", self.refused("--run", "plan"))

    def test_the_reason_names_no_person(self):
        self.assertIn("no person", self.asked(("--propose",), self.omar, "--reason", "asha@lotus.example.in asked"))
        self.assertRefused("reason", target=self.omar.user)
        self.assertIn("1 to 100", self.asked(("--propose",), self.omar))

    def test_what_was_proposed_is_what_goes(self):
        plan = self.agreed("--class", "noise")
        self.clock.advance(seconds=20 * 86_400)
        self.act(4)
        self.run_plan(plan)
        self.assertEqual(self.left(), {"access": OF_EACH, "account": OF_EACH, "auth": OF_EACH})


class Witnessed(Keeping):
    """Nothing goes that a witness has not cosigned: until then nobody outside could say what it was."""

    def test_what_is_not_cosigned_stays(self):
        plan = self.agreed("--class", "noise")
        private, early = Ed25519PrivateKey.generate(), self.early
        key = verifier_key("witness.example.in", private, algorithm=COSIGNATURE)
        note = early.note + cosignature(early.as_checkpoint().text, name=key.name, private=private, seen_at=1)
        with override_settings(AUDIT_WITNESSES=[f"http://127.0.0.1:{free_port()} {key}"]):
            self.assertEqual({row["wouldGo"] for row in self.told()["classes"]}, {0})
            AuditAnchor.objects.create(sink=key.name, size=early.size, note=note, seen_at=early.created_at)
            rows = {row["class"]: row["wouldGo"] for row in self.told()["classes"]}
            self.assertEqual(rows["noise"], 50)
            self.assertIn("has not cosigned", self.refused("--run", plan, "--archive", self.archive))
        self.assertEqual(self.left(), WHOLE)
