"""The product within this process: requests through any chain of middleware, on the stores of the environment."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from logging.config import dictConfig
from tempfile import TemporaryFile
from typing import Any

from koshflow.wsgi import Application  # sets Django up, as for a server

# isort: split
from django.test import RequestFactory, override_settings

from koshflow.settings.logging import logging_tree
from monitoring.metrics import slots
from tests.performance.load import AGENT

# What `local` loosens, as production has it: behind a proxy, which speaks for a browser on a listed origin.
_ORIGIN = "https://app.koshflow.example.in"
_PRODUCTION: dict[str, Any] = {
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SESSION_BINDING": "family",
    "TRUSTED_PROXIES": ["127.0.0.1/32"],
    "CORS_ALLOWED_ORIGINS": [_ORIGIN],
    "ALLOWED_HOSTS": ["api.koshflow.example.in"],
}
_HEADERS = {
    "Host": "api.koshflow.example.in",
    "User-Agent": AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-IN,en;q=0.8,hi;q=0.5",
    "Origin": _ORIGIN,
    "Referer": f"{_ORIGIN}/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "X-Forwarded-For": "203.0.113.7",
    "X-Request-ID": "0b7a3a1c5d2e4f60",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
Environ = dict[str, Any]


@contextmanager
def production() -> Iterator[None]:
    """Production's settings and log lines, metrics in files, and the log in a file: a pipe would wake its reader at
    each line, who then takes our processor."""
    slots.lease()
    dictConfig(logging_tree(level="INFO"))  # a laptop's lines go elsewhere
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stack.enter_context(TemporaryFile("w"))))
        stack.enter_context(override_settings(**_PRODUCTION))
        yield


def application(chain: Sequence[str]) -> Application:
    """The product behind `chain`, dotted paths, the outermost first."""
    with override_settings(MIDDLEWARE=list(chain)):
        return Application()


def me(tokens: Sequence[str]) -> list[Environ]:
    """GETs of `/me`, one a token."""
    return [
        RequestFactory()
        .get("/api/auth/me", headers=_HEADERS | {"Authorization": f"Bearer {token}"}, secure=True)
        .environ
        for token in tokens
    ]


def ask(app: Application, environ: Environ) -> bytes:
    """Serve one request to its end; the body of the answer. Raises RuntimeError where the answer is not a 200."""
    statuses: list[str] = []
    answer = app(environ, lambda status, _headers, _error=None: statuses.append(status))
    body = b"".join(answer)
    answer.close()  # as the server does: Django gives its connections back here
    if statuses != ["200 OK"]:
        raise RuntimeError(f"{statuses} {body.decode()}")
    return body


def sign_in(person: dict[str, str]) -> Environ:
    """One sign-in; its body can be read once."""
    request = RequestFactory().post(
        "/api/auth/login", json.dumps(person), content_type="application/json", headers=_HEADERS, secure=True
    )
    return request.environ
