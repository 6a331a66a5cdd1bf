"""Key rings for tests, changed in one place at a time."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from security.crypto.keyring import generate

KEK_OF_RFC_3394 = bytes(range(32))


def written(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def a_ring(change: Callable[[list[dict[str, Any]]], None] = lambda keys: None, *, text: str = "") -> str:
    """JSON of the ring `text`, or of a fresh one, after `change` was applied to its list of keys."""
    document = json.loads(text or generate())
    change(document["keys"])
    return json.dumps(document)


def entry(keys: list[dict[str, Any]], use: str) -> dict[str, Any]:
    return next(key for key in keys if key["use"] == use)


def with_next_kek(text: str) -> str:
    """The ring after a rotation of its KEK: the old one retired, number 2 active."""
    document = json.loads(text)
    old = entry(document["keys"], "kek")
    document["keys"].append({**old, "id": "2", "key": written(b"\x02" * 32)})
    old["state"] = "retired"
    return json.dumps(document)
