"""Strict readers of what a SIEM is sent, written from the standards and not from our code."""

import re
from dataclasses import dataclass, field
from datetime import datetime

_HEADER = re.compile(
    rb"<(0|[1-9][0-9]{0,2})>([1-9][0-9]{0,2}) "
    rb"(-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    rb"([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) "
)
_NAME = rb"([\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32})"  # printable, without = ] "
_ELEMENT_BEGINS = re.compile(rb"\[" + _NAME)
_PARAMETER = re.compile(rb" " + _NAME + rb'="((?:[^"\\\]]|\\["\\\]])*)"')
_BOM = b"\xef\xbb\xbf"
_CEF_KEY = re.compile(r"(?:^| )([A-Za-z0-9_]+)=")


class NotConformingError(AssertionError):
    """It is not what the standard says."""


@dataclass(frozen=True)
class Syslog:
    """A message of RFC 5424, taken apart."""

    facility: int
    severity: int
    at: datetime
    host: str
    app: str
    process: str
    kind: str
    elements: dict[str, dict[str, str]]
    text: str


def frames(stream: bytes) -> tuple[list[bytes], bytes]:
    """Messages of an octet-counted stream (RFC 6587 §3.4.1), and what is left of one that was cut."""
    found = []
    while stream:
        counted = re.match(rb"([1-9][0-9]*) ", stream)
        if counted is None:
            if re.fullmatch(rb"[1-9][0-9]*", stream):
                break
            raise NotConformingError(f"no count: {stream[:40]!r}")
        end = counted.end() + int(counted[1])
        if end > len(stream):
            break
        found.append(stream[counted.end() : end])
        stream = stream[end:]
    return found, stream


def syslog(message: bytes) -> Syslog:
    """Raises NotConformingError."""
    header = _HEADER.match(message)
    if header is None or int(header[1]) > 191 or header[2] != b"1":
        raise NotConformingError(f"no header: {message[:120]!r}")
    at, elements = _elements(message, header.end())
    rest = message[at:]
    if rest and not rest.startswith(b" "):
        raise NotConformingError(f"after the data: {rest[:40]!r}")
    text = rest[1:]
    if text.startswith(_BOM):
        decoded = text.removeprefix(_BOM).decode()
    elif text.isascii():
        decoded = text.decode()
    else:
        raise NotConformingError("UTF-8 without its mark")
    if re.search(r"[\x00-\x1f\x7f]", decoded):
        raise NotConformingError("a control character, which a receiver may take for the end")
    facility, severity = divmod(int(header[1]), 8)
    words = [group.decode() for group in header.groups()[3:]]
    return Syslog(facility, severity, datetime.fromisoformat(header[3].decode()), *words, elements, decoded)


def _elements(message: bytes, at: int) -> tuple[int, dict[str, dict[str, str]]]:
    if message[at : at + 1] == b"-":
        return at + 1, {}
    found: dict[str, dict[str, str]] = {}
    while begins := _ELEMENT_BEGINS.match(message, at):
        name, at = begins[1].decode(), begins.end()
        if name in found:
            raise NotConformingError(f"{name} twice")
        found[name] = {}
        while parameter := _PARAMETER.match(message, at):
            found[name][parameter[1].decode()] = re.sub(r'\\(["\\\]])', r"\1", parameter[2].decode())
            at = parameter.end()
        if message[at : at + 1] != b"]":
            raise NotConformingError(f"{name} does not end: {message[at : at + 40]!r}")
        at += 1
    if not found:
        raise NotConformingError("no structured data")
    return at, found


@dataclass(frozen=True)
class Cef:
    """A line of the Common Event Format, taken apart."""

    vendor: str
    product: str
    version: str
    kind: str
    name: str
    severity: int
    values: dict[str, str] = field(default_factory=dict)


def cef(line: str) -> Cef:
    """Raises NotConformingError."""
    if not line.startswith("CEF:0|") or "\n" in line or "\r" in line:
        raise NotConformingError(line[:40])
    parts, at, current = [], 6, ""
    while len(parts) < 6:
        if at >= len(line):
            raise NotConformingError("the header ends early")
        if line[at] == "\\":
            if line[at + 1 : at + 2] not in ("\\", "|"):
                raise NotConformingError(f"what is escaped in the header: {line[at : at + 2]}")
            current, at = current + line[at + 1], at + 2
        elif line[at] == "|":
            parts, current, at = [*parts, current], "", at + 1
        else:
            current, at = current + line[at], at + 1
    return Cef(*parts[:5], int(parts[5]), _extension(line[at:]))


def _extension(text: str) -> dict[str, str]:
    # A place where a key may begin, but not one whose equals sign is escaped: that has a backslash before it.
    keys = list(_CEF_KEY.finditer(text))
    if not keys or keys[0].start() != 0:
        raise NotConformingError(f"no extension: {text[:40]}")
    values: dict[str, str] = {}
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        raw = text[key.end() : following.start() if following else len(text)]
        if re.search(r"(?<!\\)(?:\\\\)*=", raw) or re.search(r"\\(?![\\=nr])", re.sub(r"\\\\", "", raw)):
            raise NotConformingError(f"{key[1]}: {raw}")
        if key[1] in values:
            raise NotConformingError(f"{key[1]} twice")
        values[key[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), raw)
    return values


# OCSF 1.5.0: class → (required members, one of which is required, activities beside 0 and 99).
_BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
_OPTIONAL = {"actor", "message", "status", "status_id", "status_detail", "activity_name", "unmapped"}
_CLASSES = {
    3001: ({"user"}, set(), range(1, 13)),
    3002: ({"user"}, {"service", "dst_endpoint"}, range(1, 7)),
    3004: ({"entity"}, set(), range(1, 14)),
    6003: ({"actor", "api", "src_endpoint"}, set(), range(1, 5)),
}
# Object → (members it may have of those that we use, one of which it must).
_OBJECTS = {
    "user": ({"uid", "name"}, {"uid", "name", "account"}),
    "entity": ({"uid", "name"}, {"uid", "name"}),
    "service": ({"name"}, {"uid", "name"}),
    "actor": ({"app_name", "user", "session"}, {"app_name", "user", "session"}),
    "session": ({"uid"}, {"uid"}),
    "api": ({"operation"}, {"operation"}),
    "src_endpoint": ({"name"}, {"name", "ip", "uid", "hostname"}),
}


def check_ocsf(document: dict) -> None:
    """Raises NotConformingError unless this is an event of one of the four classes we map to."""
    required, one_of, activities = _CLASSES[document["class_uid"]]
    activity = document["activity_id"]
    faults = [name for name in _BASE | required if name not in document]
    faults += [name for name in document if name not in _BASE | required | one_of | _OPTIONAL]
    if one_of and not one_of & document.keys():
        faults.append(f"none of {one_of}")
    if activity not in activities and activity != 99:
        faults.append(f"activity {activity}")
    if activity == 99 and not document.get("activity_name"):
        faults.append("an activity without a name")
    if document["category_uid"] != document["class_uid"] // 1000:
        faults.append("category_uid")
    if document["type_uid"] != document["class_uid"] * 100 + activity:
        faults.append("type_uid")
    if document["severity_id"] not in range(7) or document["status_id"] not in (1, 2):
        faults.append("severity or status")
    if document["status"] != {1: "Success", 2: "Failure"}[document["status_id"]]:
        faults.append("status")
    if not isinstance(document["time"], int) or not 10**12 < document["time"] < 10**13:
        faults.append("time is not in milliseconds")
    if document["metadata"]["version"] != "1.5.0" or not document["metadata"]["product"]["vendor_name"]:
        faults.append("metadata")
    faults += _faults_of_objects(document)
    if faults:
        raise NotConformingError(f"{faults} of {document}")


def _faults_of_objects(document: dict) -> list[str]:
    faults = []
    for name, value in document.items():
        if name in _OBJECTS:
            allowed, one_of = _OBJECTS[name]
            if value.keys() - allowed or not value.keys() & one_of or not all(value.values()):
                faults.append(f"{name}: {value}")
            faults += _faults_of_objects(value)
    return faults
