"""Who looks for what was archived is told so: at the API, in the admin, and as a tool that reads tiles."""

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from accounts.login.services import sign_in
from security.audit import AuditEvent
from tests.accounts.retention.keeping import OF_EACH, Keeping


class Reading(Keeping):
    def prepare(self):
        self.event = AuditEvent.objects.get(tree_index=self.base + 101)
        self.beside = AuditEvent.objects.get(tree_index=self.base + 102)
        self.prune("--class", "noise")

    def test_an_admin_is_told_that_it_may_have_been_archived(self):
        token = self.log_in(self.asha)["accessToken"]
        self.assertProblem(self.get(f"/api/audit/events/{self.event.event_id}", token=token), 404, "ARCHIVED")
        shown = self.get(f"/api/audit/events/{self.beside.event_id}", token=token).json()
        self.assertTrue(shown["proof"])

    def test_an_id_of_a_time_that_is_kept_is_not_found(self):
        token = self.log_in(self.asha)["accessToken"]
        for event_id in (uuid7(), "ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-4000-8000-000000000000"):
            self.assertProblem(self.get(f"/api/audit/events/{event_id}", token=token), 404, "NOT_FOUND")

    def test_another_company_is_told_the_same_of_what_is_there_and_what_is_not(self):
        token = self.log_in(self.chitra)["accessToken"]
        for event in (self.event, self.beside):
            self.assertProblem(self.get(f"/api/audit/events/{event.event_id}", token=token), 404, "ARCHIVED")

    def test_lists_have_what_is_left(self):
        token = self.log_in(self.asha)["accessToken"]
        question = {"auditClass": "noise", "pageSize": "100"}
        rows = self.client.get("/api/audit/events", question, headers={"Authorization": f"Bearer {token}"}).json()
        self.assertEqual(len(rows["results"]), 2)

    def test_a_tool_is_told_of_tiles_with_holes_and_reads_their_hashes(self):
        token = sign_in(user=self.ivy.user, amr="pwd otp").tokens.access
        with CaptureQueriesContext(connection) as queries:
            self.assertProblem(self.get("/api/audit/log/tile/entries/000", token=token), 404, "ARCHIVED")
        self.assertEqual(sum("audit_pruned" in query["sql"] for query in queries), 1)  # whatever the number of holes
        self.assertEqual(len(self.get("/api/audit/log/tile/0/000", token=token).content), 256 * 32)
        self.assertProblem(self.get("/api/audit/log/tile/entries/009", token=token), 404, "NOT_FOUND")
        self.assertAudited("audit.exported", times=0)

    def test_the_page_of_the_admin_says_so(self):
        self.client.post("/admin/login/", {"email": self.ivy.user.email, "password": self.ivy.password})
        self.client.post("/admin/login/code/", {"code": self.code(self.ivy)})
        gone = self.client.get(f"/admin/security/auditevent/{self.event.pk}/change/")
        self.assertContains(gone, "were archived and deleted", status_code=404)
        self.assertEqual(self.client.get(f"/admin/security/auditevent/{self.beside.pk}/change/").status_code, 200)
        newest = AuditEvent.objects.latest("id").pk
        never = self.client.get(f"/admin/security/auditevent/{newest + 1000}/change/")
        self.assertNotContains(never, "archived", status_code=404)

    def test_a_person_is_erased_after_their_events_went(self):
        """Their archive holds the values under a key that is destroyed with them."""
        call_command("subject_erase", str(self.asha.subject_id), "--confirm", "--reason", "TICKET-1", verbosity=0)
        self.assertEqual(self.found(), {})
        self.assertEqual(self.verify().pruned, OF_EACH)
