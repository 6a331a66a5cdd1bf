"""`audit_retention` and legal holds: on a person, on a company, on the whole log, placed at any moment."""

from unittest.mock import patch

from django.core.management import call_command

from accounts.erasure import LegalHold
from tests.accounts.retention.keeping import OF_EACH, TICKET, WHOLE, Keeping


class Held(Keeping):
    """An event that names somebody under a legal hold stays, whatever its age."""

    def hold(self, who) -> None:
        call_command("subject_hold", "place", str(who.subject_id), "--basis", "dispute", "--reason", TICKET)

    def test_a_persons_and_a_companys_stay(self):
        for who in (self.asha, self.asha.company):
            with self.subTest(type(who).__name__):
                LegalHold.objects.all().delete()
                self.hold(who)
                rows = {row["class"]: (row["wouldGo"], row["heldBack"]) for row in self.told()["classes"]}
                self.assertEqual(rows["noise"], (0, OF_EACH))
                self.assertIn("nothing is old enough", self.refused(*self.asking()))
                self.assertEqual(self.refusals()[-1], "nothing")

    def asking(self):
        return ("--propose", "--operator", self.omar.user.email, "--code", "000000", "--reason", TICKET)

    def test_a_hold_placed_after_the_approval_keeps_them(self):
        plan = self.agreed("--class", "noise")
        self.hold(self.asha)
        self.assertEqual((self.run_plan(plan), self.left()), ([], WHOLE))

    def test_a_hold_placed_after_the_archive_keeps_them_and_the_log_is_proved(self):
        plan = self.agreed("--class", "noise")
        with (
            patch("security.retention.pruning._delete", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_plan(plan)
        self.hold(self.asha)
        [done] = self.run_plan(plan)
        self.assertEqual((done["deleted"], done["kept"], self.found()), (0, OF_EACH, {}))

    def test_anothers_events_go(self):
        self.hold(self.chitra)
        self.prune("--class", "noise")
        self.assertNotIn("noise", self.left())

    def test_a_hold_on_the_whole_log_lets_nothing_go_until_it_is_lifted(self):
        plan = self.agreed("--class", "noise")
        hold = self.told("--hold", "CASE-12")["hold"]
        self.assertAudited("retention.hold_placed")
        self.assertIn("CASE-12", self.retention())
        for act in (("--run", plan, "--archive", self.archive), self.asking()):
            self.assertIn("a hold stands on the whole log", self.refused(*act))
        self.assertEqual(self.left(), WHOLE)
        self.assertEqual(self.refusals(), ["log_hold"] * 2)
        self.retention("--release", hold, "--reason", "CASE-12")
        self.assertAudited("retention.hold_lifted")
        self.assertIn("no hold", self.refused("--release", hold, "--reason", "CASE-12"))
        self.assertIn("1 to 100", self.refused("--hold", ""))
        self.assertEqual(self.refusals()[2:], ["unknown", "reason"])
        self.run_plan(plan)
        self.assertNotIn("noise", self.left())
