"""What follows a sign-in is a page of the admin, whatever the address asked for."""

import pytest

from tests.accounts.admin.door import INDEX, LOGIN, SETUP, AdminTestCase, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of

pytestmark = pytest.mark.embedded

FOLLOWS = (
    "/admin/",
    "/admin/accounts/user/",
    "/admin/accounts/user/0199f0a4-7f3a-7c21-9d6f-0123456789ab/change/",
    "/admin/accounts/user/?q=asha%40lotus&role__exact=ADMIN&o=1.-2",
    "/admin/password_change/",
    "/admin/?",
)
# Each would leave the admin, or could in some browser, proxy or framework; the last three lead in a circle.
NEVER = (
    "",
    "/",
    "/api-docs",
    "/administration/",
    "/admin",
    "/admin/../",
    "/admin/../..",
    "/admin/../api-docs",
    "/admin/./../",
    "/admin/accounts/../../metrics",
    "/admin/..;/metrics",
    "/admin/%2e%2e/",
    "/admin/%2E%2E%2Fmetrics",
    "/admin/.%2e/",
    "/admin/%252e%252e/",
    "/admin/\\..\\..",
    "/admin/..\\",
    "/\\evil.example/admin/",
    "\\\\evil.example/admin/",
    "//evil.example/admin/",
    "///evil.example/admin/",
    "/admin//evil.example",
    "/admin///evil.example/",
    "https://evil.example/admin/",
    "https:/admin/",
    "https:admin/",
    "javascript:alert(1)//admin/",
    "/admin/javascript:alert(1)",
    "/admin/@evil.example",
    "/admin/accounts/user",
    "/admin/?next=//evil.example\\",
    "/admin/#@evil.example",
    "/admin/\t/evil.example/",
    "/admin/\n",
    "/admin/accounts/user/\n",
    "/admin/\r\nLocation: https://evil.example",
    "\t/admin/",
    " /admin/",
    "/admin/ /evil.example/",
    "/admin/\x00/",
    "/admin/＼../",
    "/admin/。。/",
    "/admin/аccounts/",
    "/ADMIN/",
    "admin/",
    "/admin/" + "a/" * 2000,
    "/admin/login/",
    "/admin/login/code/",
    "/admin/logout/",
)


class AfterTheSignIn(AdminTestCase):
    """`next` is taken where it is the plain address of a page inside the admin; else the overview follows."""

    def follows(self, wanted: str, number: int) -> str:
        omar = with_factor(hire(email=f"o{number}@staff.example.in"))
        self.give_password(omar, next=wanted)
        place = self.give_code(code_of(omar.secret)).headers["Location"]
        self.client.logout()
        return place

    def test_a_page_of_the_admin_follows(self):
        for number, wanted in enumerate(FOLLOWS):
            with self.subTest(wanted):
                self.assertEqual(self.follows(wanted, number), wanted)

    def test_anything_else_never_does(self):
        for number, wanted in enumerate(NEVER):
            with self.subTest(wanted):
                self.assertEqual(self.follows(wanted, number), INDEX)

    def test_nor_in_the_query_of_the_door(self):
        omar = self.enter()
        for wanted in NEVER:
            with self.subTest(wanted):
                response = self.client.get(LOGIN, {"next": wanted})
                self.assertEqual((response.status_code, response.headers["Location"]), (302, INDEX))
        self.client.post("/admin/logout/")
        page = self.client.get(LOGIN, {"next": "/admin/../.."}).content.decode()
        self.assertIn(f'name="next" value="{INDEX}"', page)
        self.give_password(omar)

    def test_nor_on_the_page_of_the_recovery_codes(self):
        secret = self.key_on(self.give_password(hire(), next="/admin/../api-docs"))
        self.assertContains(self.client.post(SETUP, {"code": code_of(secret)}), f'class="go" href="{INDEX}"')
