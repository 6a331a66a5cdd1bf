"""The mail channel against a real relay: sent means accepted, refused now is tried again, refused for good is dead."""

from datetime import timedelta

from security.outbox import OutboxMessage, deliver_due
from tests.security.outbox.cases import NOON, TO, OutboxCase
from tests.security.outbox.sink import SinkMixin


class ToARelay(SinkMixin, OutboxCase):
    """A mail is sent when the relay has accepted it, and not before."""

    def test_it_arrives_and_its_words_are_forgotten(self):
        message = self.queue()
        self.assertEqual(deliver_due(), 1)
        (mail,) = self.sink.mails
        self.assertEqual((mail["To"], mail["Subject"]), (TO, "Your KoshFlow password was changed"))
        self.assertEqual(mail["Message-ID"], f"<{message.pk}@koshflow.com>")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertIn("If it was not you", mail.get_content())
        row = self.row(message)
        self.assertEqual((row.state, row.payload, row.sent_at, row.attempts), ("sent", None, NOON, 1))

    def test_it_arrives_once(self):
        self.queue()
        deliver_due()
        self.clock.shift(timedelta(days=1))
        self.assertEqual(deliver_due(), 0)
        self.assertEqual(len(self.sink.mails), 1)

    def test_a_relay_that_is_away_gets_it_when_it_is_back(self):
        message = self.queue()
        self.stop_the_relay()
        self.assertEqual(deliver_due(), 0)
        row = self.row(message)
        self.assertEqual((row.state, row.attempts), ("pending", 1))
        self.assertTrue(NOON + timedelta(seconds=4) <= row.due_at <= NOON + timedelta(seconds=5))
        self.start_the_relay()
        self.assertEqual(deliver_due(), 0)  # not before its time
        self.clock.shift(timedelta(seconds=5))
        self.assertEqual(deliver_due(), 1)
        self.assertEqual(len(self.sink.mails), 1)

    def test_a_relay_that_is_away_is_knocked_at_once_a_run(self):
        self.queue(times=5)
        self.stop_the_relay()
        deliver_due()
        self.assertEqual(sorted(OutboxMessage.objects.values_list("attempts", flat=True)), [0, 0, 0, 0, 1])

    def test_a_refusal_for_now_is_tried_again_and_the_neighbours_go_on(self):
        message = self.queue()
        self.sink.rcpt = "451 greylisted"
        self.assertEqual(deliver_due(), 0)
        self.assertEqual((self.row(message).state, self.row(message).attempts), ("pending", 1))
        self.sink.rcpt = ""
        self.queue(to="bilal@lotus.example.in")
        self.assertEqual(deliver_due(), 1)

    def test_a_refusal_for_good_is_dead_at_once(self):
        message = self.queue()
        self.sink.rcpt = "550 no such user"
        deliver_due()
        row = self.row(message)
        self.assertEqual((row.state, row.settled_at), ("dead", NOON))
        self.assertEqual(row.last_error, "the relay refused the recipient for good (550)")
        self.sink.rcpt = ""
        self.clock.shift(timedelta(days=1))
        self.assertEqual(deliver_due(), 0)

    def test_after_a_day_of_refusals_it_is_dead_and_told_of_without_the_receiver(self):
        message = self.queue()
        self.sink.data = "554 spam"
        while self.row(message).state == "pending":
            self.clock.move_to(self.row(message).due_at)
            with self.assertLogs("security.outbox") as log:
                deliver_due()
        row = self.row(message)
        self.assertEqual(row.state, "dead")
        self.assertTrue(timedelta(hours=24) <= row.settled_at - NOON <= timedelta(hours=24, minutes=30))
        self.assertIn("outbox_message_dead", log.output[-1])
        self.assertNotIn("asha", str([record.__dict__ for record in log.records]))
