"""Tells of violations without letting anybody fill a disk with them. How a report is read is `reports.py`.

Anyone may send reports, without end. Each is counted (by the signal); one line a client, directive and blocked origin
and minute is logged, and at most MOST_LINES lines a minute in each process, whoever sends.
"""

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.dispatch import Signal
from django.http.request import validate_host
from django.urls import Resolver404, resolve

from security.audit.floods import Allowance, Windows
from security.context import current
from security.csp_reports.reports import OTHER, Violation

logger = logging.getLogger("security.csp_reports")

MOST_LINES = 60

# Sent for each violation, told or not, with `directive` (a word of a closed list).
violation_reported = Signal()


# Our own windows: whoever invents origins here must not push the marks of failed sign-ins out of theirs.
windows = Windows()
allowance = Allowance(MOST_LINES)


def note_violations(violations: Iterable[Violation]) -> None:
    """Count each of `violations`, and log those whose turn it is."""
    client = current().client.address
    for violation in violations:
        violation_reported.send_robust(sender=Violation, directive=violation.directive)
        repeats = windows.repeats_to_tell(client, f"{violation.directive} {violation.blocked}")
        held_back = allowance.spend() if repeats is not None else None
        if held_back is not None:
            logger.warning(
                "csp_violation",
                extra={
                    "directive": violation.directive,
                    "blocked": violation.blocked,
                    "page": violation.page,
                    "repeats": repeats,
                    "held_back": held_back,
                },
            )


def page_template(address: str) -> str:
    """The route of our page at `address` (`/admin/accounts/user/<path:object_id>/change/`), never its path; OTHER for
    what is no page of ours.
    """
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        return OTHER
    if not validate_host(host, settings.ALLOWED_HOSTS):
        return OTHER
    try:
        return f"/{resolve(parts.path).route}"
    except Resolver404:
        return OTHER
