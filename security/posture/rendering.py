"""How a run reads: as text for people, as one JSON document (format 1) for programs. Pure."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from security.posture.report import Difference, Finding, Report

FORMAT = 1
_NOT_KEPT = "the run was not kept and has no audit event: the database refused"
_INDENT = " " * 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run as its caller hears of it.

    `is_compared` says that a comparison was asked for; `changes` is None where no run before is kept.
    """

    report: Report
    exit_code: int
    is_kept: bool
    is_compared: bool = False
    changes: Difference | None = None


def as_json(outcome: Outcome) -> str:
    """The document of docs/security-audit.md. Members may be added; none changes its meaning within a format."""
    report = outcome.report
    document: dict[str, Any] = {
        "format": FORMAT,
        "startedAt": report.started_at.isoformat(),
        "endedAt": report.ended_at.isoformat(),
        "version": report.version,
        "environment": report.environment,
        "exitCode": outcome.exit_code,
        "isKept": outcome.is_kept,
        "counts": report.counts,
        "findings": [finding.as_document() for finding in report.findings],
        "notVerified": [asdict(trouble) for trouble in report.troubles],
        "verified": list(report.verified),
        "notAsked": list(report.not_asked),
    }
    if outcome.is_compared:
        groups = _groups(outcome.changes)
        document["sinceLast"] = groups and {name: [f.key for f in found] for name, found in groups.items()}
    return json.dumps(document, indent=1, ensure_ascii=False)


def as_text(outcome: Outcome) -> str:
    """Two lines a finding, the worst first; then what could not be verified, what changed, and the sum."""
    report = outcome.report
    lines = []
    for found in report.findings:
        where = "" if found.subject in found.detail else f" ({found.subject})"
        lines += [f"{found.severity.value:<8}  {found.id}  {found.title}: {found.detail}{where}"]
        lines += [f"{_INDENT}{found.remedy}"]
    lines += [f"unknown   {t.id}  {t.title}: not verified, {t.reason}" for t in report.troubles]
    if not outcome.is_kept:
        lines.append(f"unknown   {_NOT_KEPT}")
    if outcome.is_compared and outcome.is_kept:
        lines += _changes(_groups(outcome.changes))
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count) or "nothing found"
    asked = len(report.verified) + len(report.troubles)
    lines.append(f"{asked} checks: {counts}; not verified: {len(report.troubles)}")
    if report.not_asked:
        lines.append(f"{len(report.not_asked)} checks matter in production only and were not made here")
    return "\n".join(lines)


def _groups(changes: Difference | None) -> dict[str, tuple[Finding, ...]] | None:
    if changes is None:
        return None
    return {
        "new": changes.new,
        "fixed": changes.fixed,
        "standing": changes.standing,
        "unknown": changes.unknown,
    }


def _changes(groups: dict[str, tuple[Finding, ...]] | None) -> list[str]:
    if groups is None:
        return ["no run before this one is kept"]
    named = [f"{name}: {f.key} {f.title}" for name, found in groups.items() if name != "standing" for f in found]
    counted = ", ".join(f"{len(found)} {name}" for name, found in groups.items())
    return [*named, f"since the run before: {counted}"]
