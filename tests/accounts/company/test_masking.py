"""Phone, GSTIN and PAN: whole for ADMIN and ACCOUNTANT, masked for every other role, and never in a log line."""

import json
import logging
from io import StringIO

from accounts.login.services import sign_in
from monitoring.logs.formatter import JsonFormatter
from security.rbac import Role
from tests.base import ApiTestCase
from tests.factories import asha, bilal

SEE_WHOLE = {Role.ADMIN, Role.ACCOUNTANT}
SEE_MASKED = set(Role) - SEE_WHOLE
IDENTIFIERS = ("phone", "gstin", "pan")


class Masking(ApiTestCase):
    """What a role sees follows from the role alone, in every answer that shows a company."""

    def setUp(self):
        super().setUp()
        self.admin = asha()
        self.company = self.admin.company
        self.whole = {name: getattr(self.company, name) for name in IDENTIFIERS}

    def answers(self, role: Role) -> list:
        """Each answer of the API in which a person of `role` sees the company."""
        person = self.admin if role is Role.ADMIN else bilal(company=self.company, role=role)
        token = sign_in(user=person, amr="pwd").tokens.access
        signed_in = self.log_in(person)
        found = [
            self.get("/api/auth/me", token=token),
            self.send("patch", "/api/auth/me", {"name": person.name}, token=token),
            self.get("/api/company", token=token),
            self.send("patch", "/api/company", {"name": self.company.name}, token=token),
        ]
        answered = [response.json() for response in found if response.status_code == 200]
        self.assertGreaterEqual(len(answered), 2)  # at least oneself, read and written
        return [*answered, signed_in]

    def test_admin_and_accountant_see_them_whole(self):
        for role in SEE_WHOLE:
            for answer in self.answers(role):
                with self.subTest(role=role):
                    shown = answer.get("company", answer)
                    self.assertEqual({name: shown[name] for name in IDENTIFIERS if name in shown}, self.whole)

    def test_every_other_role_sees_four_characters_and_no_answer_holds_more(self):
        for role in SEE_MASKED:
            for answer in self.answers(role):
                with self.subTest(role=role):
                    text = json.dumps(answer, ensure_ascii=False)
                    self.assertEqual([name for name, value in self.whole.items() if value in text], [])
                    shown = answer.get("company", answer)
                    for name in IDENTIFIERS:
                        value = self.whole[name]
                        self.assertEqual(shown[name], "•" * (len(value) - 4) + value[-4:])

    def test_no_role_is_forgotten(self):
        self.assertEqual(SEE_WHOLE | SEE_MASKED, set(Role))


class Logs(ApiTestCase):
    """Whoever logs one of them by mistake, under whatever name and in whatever text, writes none."""

    def setUp(self):
        super().setUp()
        company = asha().company
        self.values = [company.phone, company.gstin, company.pan]
        self.lines = StringIO()
        handler = logging.StreamHandler(self.lines)
        handler.setFormatter(JsonFormatter())
        self.logger = logging.getLogger("tests.masking")
        self.logger.addHandler(handler)
        self.addCleanup(self.logger.removeHandler, handler)

    def test_none_of_them_is_written(self):
        for value in self.values:
            self.logger.warning("seen %s here", value)
            self.logger.warning("plain", extra={"note": f"number {value}.", "companyGstin": value, "pan": value})
            self.logger.warning("nested", extra={"facts": {"phone": value, "list": [value, {"deep": value}]}})
            try:
                int(value + "x")  # a library quotes what it could not read
            except ValueError:
                self.logger.exception("failed")
        text = self.lines.getvalue()
        self.assertEqual(text.count("\n"), 4 * len(self.values))
        self.assertEqual([value for value in self.values if value in text], [])

    def test_the_words_beside_them_stay(self):
        self.logger.warning("company_seen", extra={"company": "01a20dd6", "status": 200})
        self.assertIn("01a20dd6", self.lines.getvalue())
