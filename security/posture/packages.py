"""Releases below which a known hole is open, and Pythons that get no more fixes. A table kept by hand, no network."""

import re
import sys
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from django.utils import timezone

from security.posture.registry import Fault, NotVerified, Severity, finding

# Distribution: the least release, and what was mended there. One that is not installed has no hole.
FLOORS = {
    "Django": ("5.2.11", "CVE-2025-13473, CVE-2026-1207, CVE-2026-1285, CVE-2026-1287, CVE-2026-1312"),
    "PyJWT": ("2.13.0", "CVE-2026-48526 (algorithm confusion), CVE-2026-32597"),
    "gunicorn": ("23.0.0", "CVE-2024-1135, CVE-2024-6827 (request smuggling)"),
    "djangorestframework": ("3.15.2", "CVE-2024-21520 (cross-site scripting)"),
    "djangorestframework-simplejwt": ("5.5.1", "CVE-2024-22513 (tokens of disabled people)"),
    "cryptography": ("44.0.1", "CVE-2024-12797 (OpenSSL inside the wheel)"),
    "redis": ("4.5.5", "CVE-2023-28858, CVE-2023-28859 (an answer given to another request)"),
    "sqlparse": ("0.5.0", "CVE-2024-4340 (recursion without end)"),
    "PyYAML": ("5.4", "CVE-2020-14343 (code in a document)"),
}
# Last day of security fixes of each Python that this product runs on (PEP 664, 693, 719, 745).
PYTHON_ENDS = {
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
_RELEASE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", re.ASCII)


@finding(
    "KF.S028",
    severity=Severity.HIGH,
    title="A package has a known hole",
    why="Its weakness is published; trying it costs nothing.",
    remedy="Install requirements.txt of this release again: its locks are above every floor.",
)
def packages_are_old() -> Iterable[Fault]:
    for name, (floor, mended) in FLOORS.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        if release(installed) < release(floor):
            yield Fault(name, f"{name} is {installed}; {floor} mended {mended}")


def release(text: str) -> tuple[int, ...]:
    """The numbers of a version (PEP 440), without zeros at the end; a pre-release counts as its release.

    Raises NotVerified for a text that begins with no number.
    """
    found = _RELEASE.match(text)
    if found is None:
        raise NotVerified("a package does not say its version")
    numbers = [int(part) for part in found[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@finding(
    "KF.S029",
    severity=Severity.MEDIUM,
    title="Python gets no more security fixes",
    why="Holes found from now on stay open.",
    remedy="Install a newer Python, make .venv anew, and restart the processes.",
)
def python_is_over() -> Iterable[Fault]:
    running = sys.version_info[:2]
    if running > max(PYTHON_ENDS):
        return
    end = PYTHON_ENDS.get(running)
    if end is None or timezone.now().date() > end:
        yield Fault("Python", f"Python {running[0]}.{running[1]} is past the end of its security fixes")
