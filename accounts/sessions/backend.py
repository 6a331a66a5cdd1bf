"""Signs and verifies tokens with Ed25519: simplejwt's token backend, whose stock algorithms we do not use.

Rules of RFC 8725 (JWT best practices) and RFC 9068 (access tokens): one algorithm, an explicit `typ`, the key by
`kid` from our own ring only, one audience a purpose, required claims.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from jwt.utils import base64url_decode, base64url_encode
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from security.crypto import Key, UnknownKey, keyring

ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 5
MAX_TOKEN_LENGTH = 2048
# A header with one of these asks us to trust a key, or an extension, that the sender chose.
_REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})


@lru_cache(maxsize=16)
def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret)


@lru_cache(maxsize=16)
def public_key(key: Key) -> Ed25519PublicKey:
    """Public half of a signing key of the ring."""
    return _private(key.secret).public_key()


class Ed25519Backend(TokenBackend):
    """Backend for one purpose: `typ` is the header, `audience` the `aud`, `required` the claims that must be there.

    `is_of_session` False is for tokens from before there is a session.
    """

    def __init__(self, *, typ: str, audience: str, required: tuple[str, ...], is_of_session: bool = True) -> None:
        super().__init__(ALGORITHM, audience=audience, leeway=timedelta(seconds=LEEWAY_SECONDS))
        self.typ = typ
        self.required = ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", *required]
        if is_of_session:
            self.required.append("sid")

    def encode(self, payload: dict[str, Any]) -> str:
        """The signed compact token; equal payloads give equal tokens (RFC 8032 signatures are deterministic)."""
        key = keyring().active("jwt")
        claims = {"iss": settings.PUBLIC_URL, "aud": self.audience, **payload}
        return jwt.encode(claims, _private(key.secret), algorithm=ALGORITHM, headers={"typ": self.typ, "kid": key.id})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - simplejwt's signature
        """Claims of `token`, all checks passed.

        Raises TokenBackendExpiredToken, or TokenBackendError for everything else. `verify=False` is refused.
        """
        if not verify:
            raise TokenBackendError("claims are never read before the signature")
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenBackendError("too long")
        try:
            key = self._key_for(_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                public_key(key),
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=settings.PUBLIC_URL,
                leeway=LEEWAY_SECONDS,
                options={"require": self.required, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("expired") from error
        except (jwt.InvalidTokenError, UnknownKey, UnicodeError) as error:
            raise TokenBackendError("invalid") from error
        if not _is_canonical(token):
            raise TokenBackendError("written in another way")
        return claims

    def _key_for(self, header: Mapping[str, Any]) -> Key:
        kid = header.get("kid")
        if header.get("typ") != self.typ or header.get("alg") != ALGORITHM or not isinstance(kid, str):
            raise TokenBackendError("wrong header")
        if _REFUSED_HEADERS & header.keys():
            raise TokenBackendError("refused header")
        # The next key counts too: while a ring reaches one host after the other, another host may sign with it already.
        return keyring().get("jwt", kid)


def _is_canonical(token: str | bytes) -> bool:
    """Whether the signature of a verified token is written as its one issuer does (RFC 7515 §2: no padding).

    Header and payload are signed as they are written. Of the signature PyJWT passes over padding, signs outside the
    alphabet and bits that are left over, so that one token would have many texts.
    """
    signature = (token.encode() if isinstance(token, str) else token).rpartition(b".")[2]
    return base64url_encode(base64url_decode(signature)) == signature


def _unverified_header(token: str | bytes) -> Mapping[str, Any]:
    """The JOSE header of a token of bounded length, only to find its key (RFC 7515 §4).

    PyJWT's own reader decodes payload and signature too, and `decode` then does it all again: 70 of the 270 µs that
    a token costs. This one is laxer about base64; the signature covers the header as it is written, so that
    of what `decode` accepts both read the same header. Raises jwt.DecodeError.
    """
    segment = (token.encode() if isinstance(token, str) else token).partition(b".")[0]
    try:
        header = json.loads(urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    except (ValueError, RecursionError) as error:  # RecursionError: some hundred opening brackets
        raise jwt.DecodeError("unreadable header") from error
    if not isinstance(header, dict):
        raise jwt.DecodeError("the header is no object")
    return header
