"""`/.well-known/jwks.json`: the keys that verify our tokens."""

import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from security.crypto import Key, keyring
from security.public_document import public_document

_PUBLISHED = ("next", "active", "retired")


class JwkSerializer(serializers.Serializer[Any]):
    """One Ed25519 public key (RFC 8037)."""

    kty = serializers.ChoiceField(choices=["OKP"])
    crv = serializers.ChoiceField(choices=["Ed25519"])
    use = serializers.ChoiceField(choices=["sig"])
    alg = serializers.ChoiceField(choices=["EdDSA"])
    kid = serializers.CharField()
    x = serializers.CharField(help_text="base64url, unpadded")


class JwksSerializer(serializers.Serializer[Any]):
    """A JWK Set (RFC 7517)."""

    keys = JwkSerializer(many=True)


def public_jwk(key: Key) -> dict[str, str]:
    """The public half of a signing key as a JWK."""
    raw = Ed25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()
    x = urlsafe_b64encode(raw).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.id, "x": x}


class JwksView(APIView):
    """The keys that sign now, will sign next, or signed tokens that still live."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(
        operation_id="jwks",
        summary="Read the keys that verify our tokens",
        responses={200: JwksSerializer},
        tags=["keys"],
    )
    def get(self, request: Request) -> HttpResponse:
        keys = [public_jwk(key) for key in keyring().all("jwt") if key.state in _PUBLISHED]
        content = json.dumps({"keys": keys}, separators=(",", ":")).encode()
        return public_document(
            request._request, content, content_type="application/json", cache_control="public, max-age=300"
        )
