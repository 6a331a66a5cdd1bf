"""A secret in the wrong place, at every operation and at the admin's door, stays nowhere either."""

import base64
import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import pytest
from django.core.cache import caches
from django.db import IntegrityError, OperationalError

from accounts.login.services import sign_in
from security.audit.models import AuditEvent
from tests.accounts.admin.door import CODE, LOGIN, hire, with_factor
from tests.accounts.identity.examples import a_gstin, a_pan, a_phone
from tests.contract.walk.case import CanaryCase
from tests.contract.walk.operations import operations
from tests.contract.walk.sinks import columns, database, shared_store
from tests.contract.walk.values import Canary, found
from tests.factories import a_person, asha
from tests.faults.form import TIMEOUT_SECONDS, sized

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

SIGN_IN = "/api/auth/login"
# Headers that carry what a client likes. Not X-Request-ID: it is the client's to choose so that it is found in the log.
HEADERS = (
    *("Authorization", "Cookie", "X-Api-Key", "Idempotency-Key", "User-Agent", "Referer", "Origin", "Accept"),
    *("Accept-Language", "If-None-Match", "X-Forwarded-For", "X-Forwarded-Host", "X-CSRFToken", "Host", "Traceparent"),
    *("Content-Encoding", "Range", "X-HTTP-Method-Override"),
)
HEADERS_EACH = 3  # in the short form, in turn, so that each header is sent with many secrets to many operations


class SecretsInTheWrongPlace(CanaryCase):
    """In a query, a path, an unknown member, a header, a wrong type; to a person who is signed in and to nobody."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        pair = sign_in(user=self.person, amr="pwd").tokens
        number = self.number
        self.secrets = {
            "password": self.a_password(),
            "newPassword": self.a_password(),
            "token": self.know("reset token", f"b1Zt0aUuWl3X7cQK5v9e2nRkY8sHjD4mPqTf{number}C"),
            "accessToken": self.know("access token", f"{pair.access[:-9]}{number}AAA"),
            "refreshToken": self.know("refresh token", f"{pair.refresh[:-9]}{number}AAA"),
            "challengeToken": self.know("challenge token", f"eyJ0eXAiOiJtZmErand0IiwiYWxnIjoi.e30.Qx{number}_-x7Kp2Zr"),
            "recoveryCode": self.know("recovery code", f"wr{number}-kq7vz-3mnpt-8xhdy-2cs"),
            "secret": self.know("TOTP secret", f"JBSWY3DPEHPK3PXP{number}".translate(str.maketrans("0189", "ABCD"))),
            "twoFactorCode": self.know("TOTP code", f"{(number * 7919) % 1_000_000:06d}"),
            "sessionid": self.know("session cookie", f"q8f2k1z{number}m4n7v0x3c6b9l2j5h8"),
            "pan": self.know("PAN", a_pan(number)),
            "gstin": self.know("GSTIN", a_gstin(number + 1000)),
            "phone": self.know("phone", a_phone(number)),
            # Nobody's, so that no column may hold them.
            "email": self.know("e-mail of nobody", f"nobody{number}@kestrel.example.in"),
            "name": self.know("name of nobody", f"Wren Pipit {number}"),
        }
        self.turn, self.headers = cycle(self.secrets.values()), cycle(HEADERS)

    def requests(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(method, path, what is sent) of every operation with the secrets in every place but their own."""
        everything = ", ".join(self.secrets.values())
        for operation in operations():
            token = sign_in(user=self.person, amr="pwd").tokens.access
            own = {} if operation.is_open else {"token": token}
            plain = operation.address()
            for path in self.addresses(operation):
                yield operation.method, path, own
            for name in islice(self.headers, sized(HEADERS_EACH, len(HEADERS))):
                yield operation.method, plain, {**own, "headers": {name: next(self.turn)}}
            yield operation.method, plain, {"headers": {"Authorization": f"Bearer {self.secrets['accessToken']}"}}
            yield operation.method, plain, {"headers": {"Authorization": f"Basic {self.secrets['password']}"}}
            yield (
                operation.method,
                plain,
                {"headers": {"Cookie": urlencode(self.secrets, safe="@ ").replace("&", "; ")}},
            )
            if operation.method != "get":
                for body in self.bodies(operation, everything):
                    yield operation.method, plain, {**own, "body": body}
                form = urlencode(self.secrets).encode()
                kind = "application/x-www-form-urlencoded"
                yield operation.method, plain, {**own, "body": form, "content_type": kind}

    def addresses(self, operation: Any) -> Iterator[str]:
        yield operation.address() + "?" + urlencode(self.secrets)
        yield operation.address() + "?" + urlencode({secret: name for name, secret in self.secrets.items()})
        for name in operation.query:
            yield operation.address() + "?" + urlencode({name: next(self.turn)})
        if "{" in operation.path:
            for secret in self.secrets.values():
                yield operation.address(secret)
        yield f"{operation.address()}/{quote(next(self.turn), safe='')}"

    def bodies(self, operation: Any, everything: str) -> Iterator[Any]:
        """The body with strangers in it, each of its members with the wrong thing, and what is no JSON of ours."""
        body = operation.body or {}
        # Refused, so that nothing is registered: what stands here is no member of any body.
        yield {"unknown": self.secrets, **{f"x_{name}": secret for name, secret in self.secrets.items()}}
        for member in operation.members:
            secret = next(self.turn)
            wrongs = (everything * 4, [secret], {secret: secret}, {"$gt": secret})
            for wrong in islice(wrongs, sized(2, 4)):
                yield {**body, member: wrong}
        yield f'{{"password": "{everything}"'.encode()
        yield f'{{"password": {json.dumps(everything)}, "password": 1}}'.encode()
        yield json.dumps(list(self.secrets.values())).encode()
        yield json.dumps({everything: 1}).encode()

    def test_at_every_operation_of_the_api(self):
        for method, path, sent in self.requests():
            response = self.send(method, path, **sent)
            self.assertNotEqual(response.status_code, 500, f"{method} {path}")
        self.assertTrue(AuditEvent.objects.exists())
        self.assertNowhere()

    def test_where_people_mistake_one_field_for_another(self):
        """A password in the field for the address, an address in that for the code: at the API and at the door."""
        staff, shown = with_factor(hire()), set()
        for secret in self.secrets.values():
            self.post(SIGN_IN, {"email": secret, "password": secret, "recoveryCode": secret})
            self.post(SIGN_IN, {"challengeToken": secret, "twoFactorCode": secret[:60]})
            self.post("/api/auth/refresh", {"refreshToken": secret})
            self.post("/api/auth/password-reset", {"email": secret})
            self.post("/api/auth/password-reset/confirm", {"token": secret, "newPassword": "Harbour-Lantern-29"})
            self.client.post(LOGIN, {"email": secret, "password": secret, "next": f"/admin/?q={secret}"})
        for secret in islice(self.secrets.values(), sized(5, len(self.secrets))):
            self.client.post(LOGIN, {"email": staff.user.email, "password": staff.password})
            page = self.client.post(CODE, {"code": secret[:60]})
            self.client.kept.pop()
            # A page that says no does not show again what it refused.
            shown |= set(found([Canary("refused code", secret[:60])], {"page": page.content}))
        self.assertEqual(shown, set())
        self.assertNowhere()

    def test_in_the_reports_of_browsers(self):
        for secret in self.secrets.values():
            where = f"https://testserver/admin/{quote(secret)}?token={quote(secret)}#{quote(secret)}"
            report = {"document-uri": where, "blocked-uri": where, "effective-directive": secret, "referrer": where}
            sent = {**report, "script-sample": secret, "source-file": where, "original-policy": secret}
            self.post("/csp-report", {"csp-report": sent}, content_type="application/csp-report")
        self.assertNowhere()

    def test_in_the_words_of_a_failure(self):
        """A library quotes the value it could not read, and a database the row that it refused."""
        for secret in self.secrets.values():
            for error in (
                KeyError(secret),
                ValueError(f"invalid literal for int() with base 10: {secret!r}"),
                RuntimeError(f"cannot parse {json.dumps(secret)}"),
                IntegrityError(
                    f'duplicate key value violates "email"\nDETAIL:  Key (email)=({secret}) already exists.'
                ),
                OperationalError(
                    f"connection failed: postgres://koshflow:{quote(secret, safe='')}@db.internal/koshflow"
                ),
            ):
                with patch("accounts.login.views.log_in", side_effect=error):
                    response = self.post(SIGN_IN, {"email": "a@b.in", "password": secret})
                self.assertIn(response.status_code, (500, 503))
        self.assertNowhere()


class TheSearchItself(CanaryCase):
    """What is planted is found: in each place, whole or in part, in each spelling."""

    def test_in_every_place(self):
        # Words of its own: what is planted here stays in the freed pages of SQLite, where the other tests look.
        secret = Canary("password", f"'GodwitBill\"{self.number}'CurlewSong")
        person = a_person(name=secret.value)
        caches["security"].set(f"planted:{self.number}", {"a": [secret.value]})
        self.assertIn(("password", "accounts_user.name"), found([secret], columns()))
        for places in (database(), shared_store()):
            self.assertEqual([place for _, place in found([secret], places)], sorted(places))
        person.delete()

    def test_in_every_spelling(self):
        for canary in (Canary("password", self.a_password()), Canary("phone", a_phone(self.number))):
            raw = canary.value.encode()
            for text in (
                raw,
                raw.upper(),
                raw.hex().encode(),
                base64.b64encode(raw),
                base64.urlsafe_b64encode(b"ab" + raw + b"cd"),
                base64.b64encode(b"a" + raw + b"bcd"),
                quote(canary.value, safe="").encode(),
                json.dumps({"a": canary.value}).encode(),
            ):
                with self.subTest(text):
                    self.assertTrue(canary.is_in(b"before " + text.lower() + b" after"))
        code = Canary("TOTP code", "492039")
        self.assertTrue(code.is_in(b'{"code": "492039"}'))
        self.assertFalse(code.is_in(b"1492039, 17.492039, a492039f"))
