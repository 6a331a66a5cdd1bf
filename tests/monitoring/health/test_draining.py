"""What the probes say of a server that is about to close its door."""

from unittest.mock import patch

from django.test import override_settings

from monitoring import draining
from tests.base import ApiTestCase
from tests.monitoring.health.test_health import PROBES, TOKEN, HealthMixin


class Draining(HealthMixin, ApiTestCase):
    """Nobody new is to be sent here, and whoever comes is served."""

    def setUp(self):
        super().setUp()
        # In place of the byte of this process and of all that it forks: there is no way back.
        self.enterContext(patch.object(draining, "_flag", bytearray(1)))

    def test_it_is_unavailable_at_once_and_says_no_more(self):
        for path in PROBES:
            self.assertEqual(self.get(path).status_code, 200)
        draining.begin_draining()
        for path in PROBES:
            response = self.get(path)
            self.assertEqual((response.status_code, response.json()["status"]), (503, "unavailable"))
            self.assertEqual(set(response.json()), {"status", "timestamp", "uptime"})
            self.assertEqual(response.headers["Retry-After"], "2")

    def test_it_answers_whoever_asks_whether_it_lives(self):
        draining.begin_draining()
        self.assertEqual(self.get("/health/live").status_code, 200)

    @override_settings(OPERATOR_TOKEN=TOKEN)
    def test_operators_are_told_why(self):
        self.assertNotIn("server:draining", self.get("/health/detailed", token=TOKEN).json()["checks"])
        draining.begin_draining()
        response = self.get("/health/detailed", token=TOKEN)
        self.assertEqual(response.status_code, 503)
        (check,) = response.json()["checks"]["server:draining"]
        self.assertEqual((check["status"], check["output"]), ("fail", "the server is about to end"))
