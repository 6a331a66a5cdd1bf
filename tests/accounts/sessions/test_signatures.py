"""What a process remembers of signatures, and when it forgets."""

from unittest.mock import patch

from accounts.sessions.backend import Ed25519Backend
from accounts.sessions.models import Session
from accounts.sessions.signatures import SignatureCache, access_tokens, refresh_tokens
from accounts.sessions.tokens import AccessToken, RefreshToken
from security.crypto.keyring import KeyRing, generate
from security.errors import TokenExpired, TokenInvalid
from tests.base import ApiTestCase
from tests.factories import asha

CACHES = ((access_tokens, "accessToken"), (refresh_tokens, "refreshToken"))


class Signatures(ApiTestCase):
    """A signature is verified once in a process, and never where the process made it."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.pair = self.log_in(asha())

    def test_what_was_signed_here_is_not_verified_here(self):
        with patch.object(Ed25519Backend, "decode", autospec=True, side_effect=AssertionError) as verify:
            self.assertEqual(self.me(self.pair["accessToken"]).status_code, 200)
            self.assertEqual(self.refresh(self.pair["refreshToken"]).status_code, 200)
        verify.assert_not_called()

    def test_what_was_signed_elsewhere_is_verified_once(self):
        access_tokens.clear()
        with patch.object(Ed25519Backend, "decode", autospec=True, side_effect=Ed25519Backend.decode) as verify:
            for _ in range(5):
                self.me(self.pair["accessToken"])
        self.assertEqual(verify.call_count, 1)

    def test_what_is_remembered_is_what_verifying_says(self):
        for cache, name in CACHES:
            with self.subTest(name):
                token = self.pair[name].encode()
                remembered = cache.claims(token)
                cache.clear()
                verified = cache.claims(token)
                self.assertEqual(set(verified) - set(remembered), {"iss", "aud"})  # the backend adds and checks them
                self.assertEqual({key: verified[key] for key in remembered}, remembered)

    def test_another_text_is_another_token(self):
        for cache, name in CACHES:
            head, body, signature = self.pair[name].split(".")
            for other in (f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}.", f"{self.pair[name]}.", ""):
                with self.subTest(name, other=other[-8:]), self.assertRaises(TokenInvalid):
                    cache.claims(other.encode())

    def test_the_same_token_in_another_writing_is_refused(self):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for cache, name in CACHES:
            token = self.pair[name]
            cache.clear()
            self.assertTrue(cache.claims(token.encode()))
            left_over = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]  # 86 signs have room for 516 bits, not 512
            padded = (f"{token}=", f"{token}==", f"{token[:-1]}={token[-1]}", f"={token}", token.replace(".", "=.", 1))
            for other in (*padded, f"{token}!", f"{token[:-5]}\n{token[-5:]}", left_over):
                with self.subTest(name, other=other[-8:]), self.assertRaises(TokenInvalid):
                    cache.claims(other.encode())

    def test_one_kind_does_not_vouch_for_the_other(self):
        with self.assertRaises(TokenInvalid):
            access_tokens.claims(self.pair["refreshToken"].encode())
        with self.assertRaises(TokenInvalid):
            refresh_tokens.claims(self.pair["accessToken"].encode())

    def test_a_remembered_token_ends_at_the_moment_at_which_another_process_refuses_it(self):
        token = self.pair["accessToken"].encode()
        self.clock.advance(seconds=904)
        self.assertTrue(access_tokens.claims(token))
        self.clock.advance(seconds=1)
        for forget in (lambda: None, access_tokens.clear):
            forget()
            with self.assertRaises(TokenExpired):
                access_tokens.claims(token)

    def test_another_ring_forgets_all(self):
        token = self.pair["accessToken"].encode()
        decode = patch.object(Ed25519Backend, "decode", autospec=True, side_effect=Ed25519Backend.decode)
        with patch("accounts.sessions.signatures.keyring", return_value=KeyRing.parse(generate())), decode as verify:
            access_tokens.claims(token)
        verify.assert_called_once()

    def test_it_is_bounded(self):
        session = Session.objects.get()
        for kind in (AccessToken, RefreshToken):
            cache = SignatureCache(kind, size=3)
            for counter in range(5):
                session.counter = counter
                cache.signed(kind.for_session(session))
            self.assertEqual(len(cache._claims), 3)
