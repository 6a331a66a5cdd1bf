"""Every endpoint as every role (ASVS V8.2.1)."""

from uuid import uuid4

from django.utils import timezone

from accounts.login.services import sign_in
from accounts.twofactor.models import TotpDevice
from security.rbac import Role
from tests.accounts.rbac.matrix import EVERYBODY, MATRIX
from tests.base import ApiTestCase
from tests.factories import a_person, asha, bilal

# Refusals of input or of credentials in the body: the caller came through the door.
PAST_THE_DOOR = {200, 201, 202, 204, 302, 400, 404, 409, 415}


class RoleMatrix(ApiTestCase):
    """A role gets exactly where the matrix says; everyone else is refused with the right code."""

    def call(self, method, path, token):
        path = path.replace("{id}", str(uuid4()))
        return self.send(method.lower(), path, {} if method in ("POST", "PATCH") else None, token=token)

    def test_every_operation_of_the_document_is_in_the_matrix(self):
        paths = self.get("/api-docs/openapi.json").json()["paths"]
        operations = {(method.upper(), path) for path, item in paths.items() for method in item}
        self.assertEqual(set(MATRIX), operations)

    def test_every_cell(self):
        admin = asha()
        people = {role: bilal(company=admin.company, role=role) for role in Role} | {"staff": a_person(role=None)}
        now = timezone.now()
        TotpDevice.objects.create(
            user=people["staff"], secret="JBSWY3DPEHPK3PXP", confirmed=True, confirmed_at=now, created_at=now
        )
        tokens = {}
        for (method, path), allowed in MATRIX.items():
            for name, person in people.items():
                with self.subTest(f"{method} {path} as {name}"):
                    token = tokens.get(name) or sign_in(user=person, amr="pwd otp").tokens.access
                    response = self.call(method, path, token)
                    # What was refused ended no session.
                    is_spent = method != "GET" and response.status_code < 400
                    tokens[name] = "" if is_spent else token
                    if allowed == EVERYBODY and path in ("/api/auth/login", "/api/auth/refresh"):
                        self.assertIn(response.status_code, (400, 401))
                    elif allowed == EVERYBODY or name in allowed:
                        self.assertIn(response.status_code, PAST_THE_DOOR, response.content)
                    elif allowed:
                        self.assertProblem(response, 403, "INSUFFICIENT_PERMISSIONS")
                    else:
                        self.assertIn(response.status_code, (401, 403))

    def test_without_a_sign_in_only_the_public_rows_open(self):
        for (method, path), allowed in MATRIX.items():
            with self.subTest(f"{method} {path}"):
                response = self.call(method, path, "")
                if allowed != EVERYBODY:
                    self.assertProblem(response, 401, "NO_TOKEN")
                else:
                    self.assertNotEqual(response.status_code, 403)
