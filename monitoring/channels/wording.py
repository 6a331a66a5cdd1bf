"""A message about alerts in words for people. Pure."""

from collections.abc import Mapping
from typing import Any


def subject_line(said: Mapping[str, Any]) -> str:
    """The one line that stands in a mail's subject, or on a lock screen."""
    first, *others = said["alerts"]
    more = f" (and {len(others)} more)" if others else ""
    status = "FIRING" if said["type"] == "alert.firing" else "RESOLVED"
    return f"[{status}: {said['severity']}] {first['title']}{more}"


def plain_text(said: Mapping[str, Any]) -> str:
    """All of it, for people."""
    lines = [f"{said['installation']}, {said['at']}", ""]
    for alert in said["alerts"]:
        lines += [
            f"{alert['status'].upper()} ({alert['severity']}): {alert['title']}",
            f"  rule {alert['rule']}, value {alert['value']}, threshold {alert['threshold']}",
            *([f"  about {', '.join(alert['about'])}"] if alert.get("about") else []),
            *([f"  {_events(alert['events'])} since it began"] if alert.get("events") else []),
            f"  since {alert['firedAt']}" + (f", over at {alert['resolvedAt']}" if alert["resolvedAt"] else ""),
            f"  what to do: {alert['runbook']}",
            "",
        ]
    return "\n".join(lines)


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number:,} events"
