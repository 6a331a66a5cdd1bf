"""The one JSON dialect of the API: an object in UTF-8, each name once, no NaN, bounded in depth and members."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from security.errors.exceptions import DuplicateKey, FieldError, MalformedJson, ValidationFailed

# "$" and "." in names are operators and paths to document stores and to lodash-style readers of our answers.
_FORBIDDEN_IN_NAMES = ("$", ".", "\x00")
# Of a path only its beginning is ever told; whole, a name of a megabyte over 998 members became a gigabyte.
_LONGEST_PATH = 128
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*"?|[][{},]', re.DOTALL)


class StrictJSONParser(BaseParser):
    """Parses `application/json`; the body's size was bounded by the middleware before."""

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return parse_object(stream.read(), max_depth=settings.JSON_MAX_DEPTH, max_members=settings.JSON_MAX_MEMBERS)


def parse_object(body: bytes, *, max_depth: int, max_members: int) -> dict[str, Any]:
    """The object in `body`.

    Raises MalformedJson (syntax, encoding, NaN, lone surrogates, too deep, too many members, not an object),
    DuplicateKey, or ValidationFailed naming the path of a member whose name holds `$`, `.` or NUL.
    """
    _check_size(body, max_depth=max_depth, max_members=max_members)
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJson from error
    if not isinstance(value, dict):
        raise MalformedJson("The body must be a JSON object.")
    _inspect(value, max_depth=max_depth, max_members=max_members)
    return value


def _check_size(body: bytes, *, max_depth: int, max_members: int) -> None:
    """Raises MalformedJson for what is surely too deep or of too many members, before anything is built.

    A megabyte of empty lists took half a second to build and inspect. Each member brings a comma (but a container's
    first), a name, and a text or two brackets: a document of more tokens has more members, or is none.
    """
    if body.count(b",") < max_members and body.count(b"[") + body.count(b"{") <= max_depth:
        return
    commas = depth = 0
    for tokens, token in enumerate(_TOKEN.finditer(body)):
        mark = token[0]
        commas += mark == b","
        depth += (mark in (b"[", b"{")) - (mark in (b"]", b"}"))
        if depth > max_depth:
            raise MalformedJson(f"The body is nested deeper than {max_depth} levels.")
        if commas >= max_members or tokens > 4 * max_members + 4:
            raise MalformedJson(f"The body has more than {max_members} members.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateKey
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _inspect(value: Any, *, max_depth: int, max_members: int) -> None:
    members = 0
    pending: list[tuple[Any, str, int]] = [(value, "", 1)]
    while pending:
        node, path, depth = pending.pop()
        if isinstance(node, str):
            _check_text(node)
            continue
        if not isinstance(node, dict | list):
            continue
        if depth > max_depth:
            raise MalformedJson(f"The body is nested deeper than {max_depth} levels.")
        members += len(node)
        if members > max_members:
            raise MalformedJson(f"The body has more than {max_members} members.")
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for name, inner in items:
            inner_path = (f"{path}.{name}" if path else str(name))[:_LONGEST_PATH]
            if isinstance(name, str):
                _check_name(name, path=inner_path)
            pending.append((inner, inner_path, depth + 1))


def _check_name(name: str, *, path: str) -> None:
    _check_text(name)
    if any(mark in name for mark in _FORBIDDEN_IN_NAMES):
        field = path.replace("\x00", "�")[:128]
        raise ValidationFailed([FieldError(field, "Member names may not hold $, . or NUL.", "forbidden_name")])


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedJson("The body holds a lone surrogate.") from error
