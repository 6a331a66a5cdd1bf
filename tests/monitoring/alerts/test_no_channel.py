"""What is told of alerts while no channel is set up, and to one that is set up later."""

from django.test import override_settings

from monitoring.alerts import active_alerts
from security.audit import Action
from tests.monitoring.alerts.cases import AlertCase, named


class WithoutAChannel(AlertCase):
    """Nobody is told where there is no channel; one that is set up later hears of what still fires, and of its end."""

    rules = named("refresh_token_reuse")

    def alone(self, steps):
        """What happens in `steps` with no channel set up; nothing is queued, and nothing said to be told."""
        with override_settings(ALERT_WEBHOOK_URL=""), self.assertLogs("monitoring.alerts", "INFO") as log:
            steps()
        self.assertNotIn("alert_told", {record.getMessage() for record in log.records})
        self.assertEqual(self.queued(), [])

    def begin(self):
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.steps(60)

    def end(self):
        self.steps(900, every=60)
        self.assertEqual(self.status("refresh_token_reuse"), "resolved")

    def test_a_channel_that_is_set_up_later_hears_that_it_fires_and_that_it_is_over(self):
        self.alone(self.begin)
        self.assertFalse(active_alerts()[0].is_told)
        self.step()
        self.assertTrue(active_alerts()[0].is_told)
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])])
        self.end()
        self.assertEqual(self.queued()[1:], [("alert.resolved", ["refresh_token_reuse"])])

    def test_it_does_not_hear_of_what_came_and_went_before_it_was_there(self):
        self.alone(lambda: (self.begin(), self.end()))
        self.steps(60)
        self.assertEqual(self.queued(), [])
        self.event(Action.REFRESH_TOKEN_REUSED)
        self.step()
        self.assertEqual(self.queued(), [("alert.firing", ["refresh_token_reuse"])])

    def test_who_heard_that_it_fires_hears_of_its_end_once_there_is_a_channel_again(self):
        self.begin()
        self.assertEqual([kind for kind, _ in self.queued()], ["alert.firing"])
        with override_settings(ALERT_WEBHOOK_URL=""):
            self.end()
        self.assertEqual(len(self.queued()), 1)
        self.step()
        self.assertEqual([kind for kind, _ in self.queued()[1:]], ["alert.resolved"])
