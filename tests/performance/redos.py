"""What 10 kB made for backtracking cost each validator: one JSON line, with 1 where one takes more than 10 ms.

    python -m tests.performance.redos

Validators are found in the code that serves (fields of serializers and forms, compiled patterns, headers that are
read); only plain functions are listed by hand. In one process on SQLite; CPU of the thread, the best of three, or of
nine where that is much.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.performance.figures import line

LENGTH = 10_000
AT_MOST_MS = 10
TRIES, TRIES_WHERE_MUCH = 3, 9
HARMLESS = "Lotus"
OURS = ("accounts", "monitoring", "security", "koshflow")
# Read by Django and the libraries on our behalf, beside those that our own code names.
BORROWED_HEADERS = (
    "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE", "HTTP_HOST", "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH", "HTTP_RANGE", "HTTP_X_CSRFTOKEN", "CONTENT_TYPE", "CONTENT_LENGTH",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS",
)  # fmt: skip
# What the server hands on at most (gunicorn_conf), less a name and a method.
HEADER_BYTES, PATH_BYTES = 8150, 4000
# Reads a list of our own packages, never a client's text.
NOT_OF_CLIENTS = "accounts.passwords.commonness._LIST_LINE"
PATHS = ("/api/auth/me", "/admin/login/", "/metrics")
# Public documents alone read what the client takes and has.
OF_PUBLIC_DOCUMENTS = ("HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH")


def corpus() -> dict[str, str]:
    """Texts of LENGTH characters, by what is hostile about them."""
    pieces = {
        "letters": "a", "digits": "1", "blanks": " ", "tabs": "\t", "line ends": "\r\n", "less-than": "<",
        "tags": "<a ",
        "comments": "<!--", "ampersands": "&", "towers": "&amp;", "entities": "&#x3c", "parentheses": "(",
        "pairs": "()",
        "brackets": "[", "braces": '{"a":', "quotes": '"', "apostrophes": "'", "backslashes": "\\",
        "escapes": "\\u003c",
        "percents": "%25", "overlong": "%c0%ae", "dots": ".", "labels": "a.", "hyphens": "a-", "ats": "@",
        "mails": "a@b.",
        "combining": "a\u0301", "marks": "\u0301", "ligatures": "\ufdfa", "sharp s": "\xdf", "joiners": "\u200d",
        "commas": ",", "types": "a/b;q=0.1,", "parameters": ";a=b", "addresses": "127.0.0.1,", "IPv6": "::1,",
        "cookies": "a=b; ", "slashes": "/", "climbs": "../", "SQL": "' or 1=1 ", "comments of SQL": "/**/",
        "shifted": "1!@|$./-_5", "values": "a=<<<<<<<<&",
        "pluses": "+", "underscores": "_", "nulls": "\x00", "alternating": "aA1!",
    }  # fmt: skip
    return {name: (piece * LENGTH)[: LENGTH - 1] + "!" for name, piece in pieces.items()} | {
        # What sets it off stands behind the run, or around it.
        "decorated": "!1!1!1!1" + "qz" * (LENGTH // 2 - 8) + "!1!1!1!1",
        "mail": "a" * (LENGTH - 12) + "@example.in!",
        "weight": "gzip;q=0." + "1" * (LENGTH - 10) + "x",
        # No longer than a header may be: cut, it would end without what sets it off.
        "weight in a header": "gzip;q=0." + "1" * (HEADER_BYTES - 10) + "x",
        "domain": "a@" + "a-" * (LENGTH // 2 - 2) + "!",
    }


def serving_modules() -> list[Any]:
    """Our modules that a server has loaded, once all that answers requests is imported."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    __import__(settings.ROOT_URLCONF)
    for name in settings.MIDDLEWARE:
        import_string(name)
    return [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] in OURS and module]


def _named(pattern: str) -> set[str]:
    """What the first group of `pattern` finds in the sources of `serving_modules`."""
    paths = (Path(module.__file__) for module in serving_modules() if getattr(module, "__file__", None))
    return {name for path in paths for name in re.findall(pattern, path.read_text(encoding="utf-8"))}


def input_serializers() -> dict[str, type]:
    """Serializers that some view of ours gives data to, by name."""
    fed = _named(r"(\w+Serializer)\(data=")
    return {name: vars(module)[name] for module in serving_modules() for name in sorted(fed & vars(module).keys())}


def input_forms() -> dict[str, type]:
    """Forms of our own, by name."""
    from django.forms import BaseForm

    found = [value for module in serving_modules() for value in vars(module).values() if isinstance(value, type)]
    return {f.__name__: f for f in found if issubclass(f, BaseForm) and f.__module__.split(".")[0] in OURS}


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern that a module of ours holds, by place; also inside tuples, tables and bound methods."""
    return {
        f"{module.__name__}.{name}[{number}]": pattern
        for module in serving_modules()
        for name, value in vars(module).items()
        if not name.startswith("__") and f"{module.__name__}.{name}" != NOT_OF_CLIENTS
        for number, pattern in enumerate(_patterns_in(value))
    }


def _patterns_in(value: Any, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    value = getattr(value, "expression", getattr(value, "__self__", value))
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, list | tuple | dict) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _patterns_in(inner, depth - 1)


def headers() -> list[str]:
    """Names in META of the headers that somebody reads."""
    own = _named(r'"(HTTP_[A-Z_]+)"')
    return sorted(own | set(BORROWED_HEADERS))


def functions() -> dict[str, Callable[[str], Any]]:
    """Functions that judge a client's text and are neither field nor pattern."""
    from django.conf import settings
    from django.urls import resolve

    from accounts.identity import gstin, names, pan, phone
    from accounts.passwords import check_password_policy
    from accounts.sessions.authentication import bearer_of
    from accounts.sessions.client_label import client_label
    from accounts.sessions.signatures import access_tokens
    from accounts.sessions.tokens import RefreshToken
    from accounts.twofactor.recovery_codes import code_hash
    from accounts.twofactor.totp import is_code
    from security.audit import agent_family
    from security.client_ip import client_address, network_of
    from security.csp_reports.reports import LEGACY, read_violations
    from security.csp_reports.services import page_template
    from security.errors.parsers import parse_object
    from security.middleware.bodies import check_content_type, check_query
    from security.sanitize import plain_text
    from security.screening.score import score
    from security.screening.texts import texts_of_json, texts_of_query

    own = ("Asha Rao", "asha.rao@lotus.example.in", "Lotus Traders")
    limits = {"max_depth": settings.JSON_MAX_DEPTH, "max_members": settings.JSON_MAX_MEMBERS}
    return {
        "gstin": gstin.parse,
        "pan": pan.parse,
        "phone": phone.to_e164,
        "e-mail": names.normalise_email,
        # As long as SecretField lets it be.
        "password policy": lambda t: check_password_policy(t[:1008] + t[-16:], words=own, has_second_factor=False),
        "password policy, own words": lambda t: check_password_policy(
            t[:500] + "asha" + t[:500] + t[-16:], words=own, has_second_factor=False
        ),
        # Short enough for each of its middles to be looked at.
        "password policy, short": lambda t: check_password_policy(
            t[:40] + "asha" + t[:40], words=own, has_second_factor=False
        ),
        "code": is_code,
        "recovery code": code_hash,
        "plain text": lambda t: plain_text(t, max_length=100),
        "User-Agent, label": client_label,
        "User-Agent, family": agent_family,
        "address": network_of,
        "X-Forwarded-For": lambda t: client_address(peer="127.0.0.1", forwarded_for=t),
        "bearer": lambda t: access_tokens.claims(bearer_of(f"Bearer {t}") or b""),
        "refresh token": RefreshToken,
        "Content-Type": lambda t: check_content_type(t, ""),
        "query": lambda t: check_query(t, is_api=True),
        "path": lambda t: resolve(f"/{t}"),
        "JSON": lambda t: parse_object(t.encode(), **limits),
        "JSON, one member": lambda t: parse_object(json.dumps({"name": t}).encode(), **limits),
        "CSP report": lambda t: read_violations(
            json.dumps({"csp-report": {"blocked-uri": t, "document-uri": t, "effective-directive": t}}).encode(),
            media_type=LEGACY,
            place=page_template,
        ),
        "screening, query": lambda t: score(texts_of_query(t)),
        "screening, body": lambda t: score(texts_of_json(json.dumps({"name": t}).encode())),
        "screening, members": lambda t: score(
            texts_of_json(json.dumps({f"m{number}": t[:2500] for number in range(4)}).encode())
        ),
        "screening, values": lambda t: score(texts_of_query("&".join(f"q{number}={t[:1000]}" for number in range(10)))),
        "screening, raw body": lambda t: score(texts_of_json(t.encode())),
    }


def validators() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Names of all validators, and how to give a text to each."""
    for name, serializer in input_serializers().items():
        for member, field in serializer().fields.items():
            yield f"{name}.{member}", field.run_validation
        members = list(serializer().fields)
        yield name, lambda t, of=serializer, members=members: of(data=dict.fromkeys(members, t)).is_valid()
    for name, form in input_forms().items():
        yield name, lambda t, of=form: of(dict.fromkeys(of.base_fields, t)).is_valid()
    for name, pattern in patterns().items():
        yield f"{name} search", lambda t, p=pattern: p.search(t if isinstance(p.pattern, str) else t.encode())
        yield f"{name} fullmatch", lambda t, p=pattern: p.fullmatch(t if isinstance(p.pattern, str) else t.encode())
    yield from functions().items()
    yield from _doors()


def _doors() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Whole requests, each with one hostile header, path, query or body. As much as a server hands on."""
    from django.test import Client

    client = Client(raise_request_exception=False, HTTP_HOST="localhost")
    for header in headers():
        for path in PATHS:
            yield f"GET {path} {header}", lambda t, p=path, h=header: client.get(p, **{h: _as_bytes(t, HEADER_BYTES)})
    for header in OF_PUBLIC_DOCUMENTS:
        yield f"GET /errors {header}", lambda t, h=header: client.get("/errors", **{h: _as_bytes(t, HEADER_BYTES)})
    yield "GET path", lambda t: client.get("/api/auth/me", PATH_INFO=_as_bytes(f"/{t}", PATH_BYTES))
    yield "GET query", lambda t: client.get("/api/auth/me", QUERY_STRING=_as_bytes(t, PATH_BYTES))
    for path in ("/api/auth/login", "/csp-report"):
        yield f"POST {path}", lambda t, p=path: client.post(p, t.encode(), content_type="application/json")
    yield (
        "POST /api/auth/login e-mail",
        lambda t: client.post("/api/auth/login", {"email": t, "password": t}, content_type="application/json"),
    )


def _as_bytes(text: str, most: int) -> str:
    """As WSGI tells bytes (PEP 3333): each is one character."""
    return text.encode().decode("latin-1")[:most]


def measure() -> list[dict[str, Any]]:
    """For each validator its worst input and what that cost beyond a harmless one: a page is drawn for both.

    Django is set up, its tables are there.
    """
    texts = corpus()
    found = []
    for name, judge in validators():
        _spend(judge, HARMLESS)
        usual = min(_spend(judge, HARMLESS) for _ in range(TRIES))
        worst = max((_least(judge, text), kind) for kind, text in texts.items())
        found.append({"validator": name, "cpu_ms": round((worst[0] - usual) * 1000, 2), "input": worst[1]})
    return found


def _least(judge: Callable[[str], Any], text: str) -> float:
    """CPU seconds; what looks dear is tried again, for a neighbour on the machine can only add."""
    seconds = _spend(judge, text)
    return (
        seconds
        if seconds * 1000 < AT_MOST_MS / 2
        else min(seconds, *(_spend(judge, text) for _ in range(TRIES_WHERE_MUCH - 1)))
    )


def _spend(judge: Callable[[str], Any], text: str) -> float:
    """CPU seconds of the thread; what is refused is as good as what is taken."""
    started = time.thread_time()
    with suppress(Exception):
        judge(text)
    return time.thread_time() - started


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "koshflow.settings", "KOSHFLOW_ENV": "test"}
        os.environ |= {"KOSHFLOW_DATA_DIR": folder, "DATABASE_URL": f"sqlite:///{folder}/redos.sqlite3"}
        import logging

        import django
        from django.core.management import call_command

        django.setup()
        logging.disable(logging.CRITICAL)
        call_command("migrate", verbosity=0)
        found = sorted(measure(), key=lambda one: -one["cpu_ms"])
    worst = found[0]
    measured = {"validators": len(found), "inputs": len(corpus()), "worst": found[:3]}
    over = [one for one in found if one["cpu_ms"] > AT_MOST_MS]
    print(
        line("redos_cpu_ms", measured, judged=worst["cpu_ms"], at_most=AT_MOST_MS, rounds=TRIES, over=over),
        flush=True,
    )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
