"""The audit's configuration rules as Django system checks with the same ids; `manage.py check` reports them.

Rules that only matter in production are deployment checks. A critical finding is an error, which also stops commands;
the others are warnings, low ones information.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.core.checks import ERROR, INFO, WARNING, CheckMessage, Tags, register

# Each of these registers its rules as it is loaded.
from security.posture import files, key_material, live, packages, policy, stores, web
from security.posture.registry import Reads, Rule, Severity, ask, rules

LEVELS = {
    Severity.CRITICAL: ERROR,
    Severity.HIGH: WARNING,
    Severity.MEDIUM: WARNING,
    Severity.LOW: INFO,
}
SOURCES = (files, key_material, live, packages, policy, stores, web)


def messages(rule: Rule) -> list[CheckMessage]:
    """What `rule` says, in Django's words. A rule that could not be asked is a warning."""
    if not rule.is_asked:
        return []
    answer = ask(rule)
    if answer.trouble:
        return [CheckMessage(WARNING, f"{rule.title}: could not be verified ({answer.trouble}).", id=rule.id)]
    level = LEVELS[rule.severity]
    return [CheckMessage(level, f"{rule.title}: {f.detail}.", hint=rule.remedy, id=rule.id) for f in answer.faults]


def _check(rule: Rule) -> Callable[..., list[CheckMessage]]:
    def check(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
        return messages(rule)

    return check


for configured in rules():
    if configured.reads is Reads.CONFIGURATION:
        register(_check(configured), Tags.security, deploy=configured.production_only)
