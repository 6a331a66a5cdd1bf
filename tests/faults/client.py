"""An HTTP client that never raises: what a fault did to a request is an answer too, with status 0."""

import http.client
import json
import time
from dataclasses import dataclass, field
from secrets import randbelow, token_hex
from typing import Any, Self

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: the connection was refused, cut or silent, and `error` names how. `sent_at` is monotonic."""

    status: int
    sent_at: float
    seconds: float
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def code(self) -> str:
        """The problem's code, or ""."""
        return str(self.document.get("code", ""))

    @property
    def is_come_back(self) -> bool:
        """Whether it is the 503 of a part that is away: a problem document with Retry-After."""
        return (
            self.status == 503
            and self.headers.get("content-type") == "application/problem+json"
            and self.headers.get("retry-after", "").isdigit()
            and self.code == "SERVICE_UNAVAILABLE"
        )


class Client:
    """One client on one kept-alive connection, from loopback address 127.0.0.`number`. Not thread-safe.

    `forges`: each request claims in X-Forwarded-For to come from somewhere else.
    """

    def __init__(self, port: int, *, number: int = 1, patience: float = PATIENCE_SECONDS, forges: bool = False) -> None:
        self._forges = forges
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=patience, source_address=(f"127.0.0.{number}", 0)
        )

    def get(self, path: str, *, token: str = "") -> Answer:
        return self._ask("GET", path, None, token)

    def post(self, path: str, document: dict[str, Any] | None = None, *, token: str = "") -> Answer:
        return self._ask("POST", path, document or {}, token)

    def patch(self, path: str, document: dict[str, Any], *, token: str = "") -> Answer:
        return self._ask("PATCH", path, document, token)

    def _ask(self, method: str, path: str, document: dict[str, Any] | None, token: str) -> Answer:
        request_id = token_hex(16)
        headers = {"User-Agent": AGENT, "X-Request-ID": request_id, "Accept": "application/json"}
        if self._forges:
            headers["X-Forwarded-For"] = f"198.51.100.{randbelow(256)}, 203.0.113.{randbelow(256)}"
        body = None
        if document is not None:
            body = json.dumps(document)
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        sent_at = time.monotonic()
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, sent_at, time.monotonic() - sent_at, request_id, error=type(error).__name__)
        names = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in names.get("content-type", "")
        document = json.loads(content) if content and is_json else {}
        return Answer(response.status, sent_at, time.monotonic() - sent_at, request_id, names, document)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
