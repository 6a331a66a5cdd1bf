"""Writes the documents that follow from the code: `python -m tests.docs.write`. A test fails when one has drifted."""

import os
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def errors_page() -> str:
    """`docs/errors.md`: every code with its status and meaning."""
    from security.errors import CODES

    lines = [
        "# Errors",
        "",
        "Every refusal, from whatever layer, is one `application/problem+json` document (RFC 9457):",
        "",
        "```json",
        "{",
        '  "type": "https://api.example.in/errors#invalid_credentials",',
        '  "title": "Invalid credentials",',
        '  "status": 401,',
        '  "detail": "E-mail or password is not correct.",',
        '  "instance": "/api/auth/login",',
        '  "error": "Invalid credentials",',
        '  "message": "E-mail or password is not correct.",',
        '  "code": "INVALID_CREDENTIALS",',
        '  "requestId": "0f8b6a1c2d3e4f5061728394a5b6c7d8"',
        "}",
        "```",
        "",
        "Compare `code`: it never changes its meaning. Show `message` to people. `error` equals `title` and `message`",
        "equals `detail`. With VALIDATION_FAILED comes `details`, a list of `{field, message, code}`: `field` is",
        "the member as you sent it, dotted where it is nested, and `message` of the document is the first of them. A",
        "value you sent is never echoed. Quote `requestId` when you report a failure.",
        "",
        "A 401 means only that there is no valid sign-in; a 403 will not get better by signing in again. With 429 and",
        "503 comes `Retry-After`, in seconds. `type` leads to `/errors`: a page in a browser, this text for programs.",
        "",
        "| code | status | meaning |",
        "| --- | --- | --- |",
    ]
    ordered = sorted(CODES.values(), key=lambda code: (code.status, code.name))
    lines += [f"| `{code.name}` | {code.status} | {code.detail} |" for code in ordered]
    return "\n".join(lines) + "\n"


def environment_template() -> str:
    """`.env.example`."""
    from koshflow.env import template

    return template()


def schema() -> str:
    """`docs/openapi.json`."""
    import json

    from drf_spectacular.generators import SchemaGenerator

    return json.dumps(SchemaGenerator().get_schema(request=None, public=True), indent=1, sort_keys=True) + "\n"


def permissions() -> str:
    """`docs/permissions.md`."""
    from tests.accounts.rbac.matrix import page

    return page()


def headers_page() -> str:
    """`docs/headers.md`."""
    from tests.contract.answers import page

    return page()


def alerts_page() -> str:
    """`docs/alerts.md`."""
    from tests.monitoring.alerts.page import page

    return page()


DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/errors.md": errors_page,
    ".env.example": environment_template,
    "docs/openapi.json": schema,
    "docs/permissions.md": permissions,
    "docs/headers.md": headers_page,
    "docs/alerts.md": alerts_page,
}


def main() -> None:
    os.environ.setdefault("KOSHFLOW_ENV", "test")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    import django

    django.setup()
    for name, make in DOCUMENTS.items():
        (ROOT / name).write_text(make())
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
