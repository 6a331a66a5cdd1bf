"""The admin's list of sessions."""

from django.db import connection

from accounts.admin import SessionAdmin
from accounts.sessions.models import Session
from tests.accounts.admin.door import AdminTestCase
from tests.factories import asha


class SessionsByTheirStart(AdminTestCase):
    """The newest stands first, though a stay in the admin ends within hours and a person's session after a week."""

    def test_the_newest_start_is_first(self):
        self.log_in(asha())
        self.clock.advance(seconds=60)
        self.enter()  # later, and over earlier
        shown = list(self.client.get("/admin/accounts/session/").context["cl"].result_list)
        self.assertEqual(shown, list(Session.objects.order_by("-created_at")))
        self.assertTrue(shown[0].user.is_staff)
        self.assertLess(shown[0].absolute_until, shown[-1].absolute_until)

    def test_the_first_page_is_read_from_an_index_however_many_there_are(self):
        page = Session.objects.order_by(*SessionAdmin.ordering)[:50]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:  # with few rows it would read them all, and rightly
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = page.explain()
        self.assertIn("session_newest", plan)
        self.assertNotRegex(plan, "(?i)sort|temp b-tree")
