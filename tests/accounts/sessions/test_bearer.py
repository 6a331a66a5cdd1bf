"""What an access token must be, and what ends it."""

import base64
import json
import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accounts.identity.models import User
from accounts.sessions.models import Session
from security.crypto import keyring
from tests.base import ApiTestCase
from tests.factories import asha


def _encoded(part: dict | list) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class AccessTokens(ApiTestCase):
    """Only a token of our key, type, audience and time, for a session that lives, is a sign-in."""

    def setUp(self):
        super().setUp()
        self.person = asha()
        self.token = self.log_in(self.person)["accessToken"]
        self.claims = jwt.decode(self.token, options={"verify_signature": False})

    def signed(self, *, claims=None, headers=None, key=None):
        active = keyring().active("jwt")
        return jwt.encode(
            {**self.claims, **(claims or {})},
            key or Ed25519PrivateKey.from_private_bytes(active.secret),
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": active.id, **(headers or {})},
        )

    def test_it_lives_fifteen_minutes_and_names_its_key_type_and_session(self):
        header = jwt.get_unverified_header(self.token)
        self.assertEqual((header["alg"], header["typ"]), ("EdDSA", "at+jwt"))
        self.assertEqual(self.claims["exp"] - self.claims["iat"], 900)
        self.assertEqual(self.claims["sid"], Session.objects.get().pk.hex)

    def test_the_published_key_verifies_it(self):
        keys = {key["kid"]: key for key in self.get("/.well-known/jwks.json").json()["keys"]}
        kid = jwt.get_unverified_header(self.token)["kid"]
        public = jwt.PyJWK(keys[kid]).key
        self.assertEqual(
            jwt.decode(self.token, public, algorithms=["EdDSA"], audience="koshflow-api")["sub"],
            str(self.person.pk),
        )

    def test_the_published_keys_hold_no_private_half(self):
        for key in self.get("/.well-known/jwks.json").json()["keys"]:
            self.assertEqual(set(key), {"kty", "crv", "use", "alg", "kid", "x"})

    def test_a_control_token_made_by_the_same_means_is_accepted(self):
        self.assertEqual(self.me(self.signed()).status_code, 200)

    def test_forged_tokens_are_refused(self):
        header, payload, signature = self.token.split(".")
        unsigned = _encoded({"alg": "none", "typ": "at+jwt"}) + "." + payload + "."
        public = Ed25519PrivateKey.from_private_bytes(keyring().active("jwt").secret).public_key()
        confused = jwt.encode(
            self.claims, base64.b64encode(public.public_bytes_raw()).decode(), algorithm="HS256",
            headers={"typ": "at+jwt", "kid": keyring().active("jwt").id},
        )  # fmt: skip
        for name, forged in {
            "alg none": unsigned,
            "HS256 with the public key": confused,
            "another key": self.signed(key=Ed25519PrivateKey.generate()),
            "an unknown kid": self.signed(headers={"kid": "nobody"}),
            "a refresh token's type": self.signed(headers={"typ": "rt+jwt"}),
            "no type": self.signed(headers={"typ": None}),
            "an embedded key": self.signed(headers={"jwk": {"kty": "OKP"}}),
            "a key address": self.signed(headers={"jku": "https://evil.example"}),
            "a critical extension": self.signed(headers={"crit": ["exp"]}),
            "another audience": self.signed(claims={"aud": "koshflow-refresh"}),
            "a list of audiences": self.signed(claims={"aud": ["koshflow-api", "x"]}),
            "another issuer": self.signed(claims={"iss": "https://evil.example"}),
            "not yet valid": self.signed(claims={"nbf": time.time() + 600}),
            "another person's": self.signed(claims={"sub": str(uuid4())}),
            "a session id that is none": self.signed(claims={"sid": "'; DROP TABLE"}),
            "a changed payload": f"{header}.{_encoded({**self.claims, 'sub': str(uuid4())})}.{signature}",
            "a header that is no object": f"{_encoded(['EdDSA'])}.{payload}.{signature}",
            "a header without bottom": f"{base64.b64encode(b'[' * 1200).decode()}.x.y",
            "a header with foreign letters": f"{header[:4]}!{header[4:]}.{payload}.{signature}",
            "a header with padding": f"{header}====.{payload}.{signature}",
            "no token at all": "x",
            "a very long one": self.token + "A" * 10_000,
        }.items():
            with self.subTest(name):
                self.assertProblem(self.me(forged), 401, "TOKEN_INVALID")
        self.assertAudited("access_token.refused")  # one event a client and window

    def test_a_missing_claim_is_refused(self):
        for claim in ("exp", "nbf", "iat", "sub", "sid", "jti", "tv", "auth_time", "amr"):
            with self.subTest(claim):
                claims = {name: value for name, value in self.claims.items() if name != claim}
                active = keyring().active("jwt")
                token = jwt.encode(
                    claims,
                    Ed25519PrivateKey.from_private_bytes(active.secret),
                    algorithm="EdDSA",
                    headers={"typ": "at+jwt", "kid": active.id},
                )
                self.assertProblem(self.me(token), 401, "TOKEN_INVALID")

    def test_no_token_and_a_foreign_scheme_are_no_sign_in(self):
        for headers in (
            {},
            {"Authorization": "Basic YTpi"},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer  "},
        ):
            with self.subTest(headers):
                response = self.client.get("/api/auth/me", headers=headers)
                self.assertProblem(response, 401, "NO_TOKEN")
                self.assertIn("Bearer", response.headers["WWW-Authenticate"])

    def test_an_unknown_session_is_invalid(self):
        self.assertProblem(self.me(self.signed(claims={"sid": uuid4().hex})), 401, "SESSION_INVALID")

    def test_a_deactivated_person_is_out_at_the_next_request(self):
        self.assertEqual(self.me(self.token).status_code, 200)
        User.objects.filter(pk=self.person.pk).update(is_active=False)
        self.assertProblem(self.me(self.token), 401, "USER_INVALID")

    def test_a_raised_token_version_ends_every_session(self):
        User.objects.filter(pk=self.person.pk).update(token_version=2)
        self.assertProblem(self.me(self.token), 401, "TOKEN_REVOKED")

    def test_a_changed_role_counts_at_the_next_request(self):
        self.assertIn("company.manage", self.me(self.token).json()["user"]["permissions"])
        User.objects.filter(pk=self.person.pk).update(role="VIEWER")
        self.assertNotIn("company.manage", self.me(self.token).json()["user"]["permissions"])


class CostOfMe(ApiTestCase):
    """GET /me is one SQL statement and one round trip to Redis, limits and all."""

    def test_one_statement(self):
        token = self.log_in(asha())["accessToken"]
        with self.assertNumQueries(1):
            self.assertEqual(self.me(token).status_code, 200)

    @pytest.mark.real
    def test_one_round_trip_to_redis(self):
        from unittest.mock import patch

        from redis.connection import AbstractConnection

        token = self.log_in(asha())["accessToken"]
        self.me(token)  # connects, and loads the script
        send = AbstractConnection.send_packed_command
        with patch.object(AbstractConnection, "send_packed_command", autospec=True, side_effect=send) as sent:
            self.assertEqual(self.me(token).status_code, 200)
        self.assertEqual(sent.call_count, 1)
