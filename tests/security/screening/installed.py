"""Screening as the product runs it, whether or not the settings of this run install it."""

from typing import Any

from django.conf import settings
from django.test import override_settings

from tests.base import ApiTestCase
from tests.monitoring.metrics.counting import CountingMixin

SCREENING = "security.screening.middleware.ScreeningMiddleware"
BODIES = "security.middleware.bodies.BodyMiddleware"

AN_ATTACK = "' UNION SELECT password FROM users--"


def middleware() -> list[str]:
    """The chain with screening once, right behind the bounds on bodies."""
    chain = [name for name in settings.MIDDLEWARE if name != SCREENING]
    chain.insert(chain.index(BODIES) + 1, SCREENING)
    return chain


class ScreeningTestCase(CountingMixin, ApiTestCase):
    """Runs in `mode`, at the default threshold."""

    mode = "observe"

    def setUp(self) -> None:
        installed = override_settings(MIDDLEWARE=middleware(), SCREENING=self.mode, SCREENING_THRESHOLD=5)
        installed.enable()
        self.addCleanup(installed.disable)
        super().setUp()

    def findings(self, action: str, kind: str = "sql") -> float:
        return self.value("kf_screening_findings_total", kind=kind, action=action)

    def told(self) -> list[dict[str, Any]]:
        """What the events of screening hold, oldest first."""
        return [dict(event.parsed_leaf().data) for event in self.audited("request.screened")]
