"""Delivery: at least once, by one at a time, with a growing pause, and given up after a day."""

import json
import threading
from datetime import timedelta

from django.db import connections, transaction
from django.utils import timezone

from security.outbox import (
    DeliveryFailed,
    OutboxMessage,
    Undeliverable,
    channels,
    deliver_due,
    purge_messages,
    send_now,
    services,
)
from tests.security.outbox.cases import NOON, OutboxCase


class AtLeastOnce(OutboxCase):
    """A deliverer that dies loses nothing: its lease runs out and another delivers, under the same id."""

    def setUp(self):
        super().setUp()
        self.received = []
        self.dies = False

    def send(self, message, payload):
        self.received.append((message, payload["n"]))
        if self.dies:
            raise SystemExit  # as a killed process: nothing after this line runs

    def test_killed_between_the_act_and_the_delivery(self):
        self.a_channel(self.send)
        message = self.queue_on(n=1)  # the act commits; nobody delivers
        connections.close_all()
        self.assertEqual(deliver_due(), 1)
        self.assertEqual(self.received, [(message.pk, 1)])

    def test_killed_between_the_acceptance_and_its_mark(self):
        self.a_channel(self.send)
        message = self.queue_on(n=1)
        self.dies = True
        with self.assertRaises(SystemExit):
            deliver_due()
        self.dies = False
        self.assertEqual(self.row(message).state, "leased")
        self.clock.shift(timedelta(seconds=59))
        self.assertEqual(deliver_due(), 0)  # perhaps it still lives
        self.clock.shift(timedelta(seconds=1))
        self.assertEqual(deliver_due(), 1)
        self.assertEqual(self.received, [(message.pk, 1), (message.pk, 1)])

    def test_one_that_kills_each_deliverer_is_given_up_in_the_end(self):
        self.a_channel(self.send)
        message = self.queue_on(n=1)
        self.dies = True
        OutboxMessage.objects.update(attempts=99)
        with self.assertRaises(SystemExit):
            deliver_due()
        self.clock.shift(timedelta(seconds=60))
        deliver_due()
        self.assertEqual((self.row(message).state, len(self.received)), ("dead", 1))

    def test_a_deliverer_that_overslept_its_lease_does_not_undo_the_success_of_another(self):
        def oversleep(message, payload):
            if not self.received:
                self.received.append("first")
                self.clock.shift(timedelta(seconds=61))
                deliver_due()
                raise channels.DeliveryFailed("too late")
            self.received.append("second")

        self.a_channel(oversleep)
        message = self.queue_on()
        deliver_due()
        self.assertEqual(self.received, ["first", "second"])
        self.assertEqual(self.row(message).state, "sent")

    def test_nor_does_its_failure_end_the_lease_of_another(self):
        leases = []

        def oversleep(message, payload):
            self.clock.shift(timedelta(seconds=61))
            leases.append(services._claim(without=set(), now=timezone.now()).lease_until)
            raise channels.DeliveryFailed("too late")

        self.a_channel(oversleep)
        message = self.queue_on()
        deliver_due()
        row = self.row(message)
        self.assertEqual((row.state, [row.lease_until]), ("leased", leases))

    def test_inside_a_transaction_nothing_is_delivered(self):
        self.a_channel(self.send)
        self.queue_on(n=1)
        with self.assertRaises(RuntimeError), transaction.atomic():
            deliver_due()
        self.assertEqual(self.received, [])


class AtOnce(OutboxCase):
    """However many deliver at once, each message goes to one of them."""

    def test_eight_deliverers_deliver_forty_messages_once_each(self):
        received, lock = [], threading.Lock()

        def send(message, payload):
            with lock:
                received.append(payload["n"])

        self.a_channel(send)
        for number in range(40):
            self.queue_on(n=number)
        barrier, errors = threading.Barrier(8), []

        def run():
            try:
                barrier.wait(timeout=30)
                while OutboxMessage.objects.waiting().exists():
                    deliver_due()
            except Exception as error:  # noqa: BLE001 - a thread's error must reach the test
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(errors, [])
        self.assertEqual(sorted(received), list(range(40)))
        self.assertEqual(OutboxMessage.objects.filter(state="sent", attempts=1).count(), 40)


class Faults(OutboxCase):
    """One bad message or channel holds up nobody else."""

    def test_a_fault_of_a_channel_is_logged_and_paused_like_a_refusal(self):
        def broken(message, payload):
            raise KeyError(payload["secret"])

        received = []
        self.a_channel(broken, "broken")
        self.a_channel(lambda message, payload: received.append(payload), "sound")
        bad = self.queue_on("broken", secret="canary")
        self.queue_on("sound", n=1)
        with self.assertLogs("security.outbox", "ERROR") as log:
            self.assertEqual(deliver_due(), 1)
            with self.assertRaisesMessage(DeliveryFailed, "fault of the channel (KeyError)"):
                send_now(channel="broken", payload={"secret": "canary"})
        self.assertEqual([record.getMessage() for record in log.records], ["outbox_channel_fault"] * 2)
        row = self.row(bad)
        self.assertEqual((row.state, row.last_error), ("pending", "fault of the channel (KeyError)"))
        self.assertGreater(row.due_at, NOON)
        self.assertEqual(received, [{"n": 1}])

    def test_a_message_for_a_person_erased_since_is_dead(self):
        message = self.queue()
        self.subject.destroy(at=NOON)
        deliver_due()
        row = self.row(message)
        self.assertEqual((row.state, row.last_error), ("dead", "the person was erased"))

    def test_a_channel_of_another_release_waits_for_it(self):
        self.a_channel(lambda message, payload: None)
        message = self.queue_on()
        channels._channels.pop("test")
        self.assertEqual(deliver_due(), 0)
        self.assertEqual(self.row(message).state, "pending")
        channels._channels["test"] = lambda message, payload: None
        self.clock.shift(timedelta(seconds=5))
        self.assertEqual(deliver_due(), 1)

    def test_a_run_ends_at_its_limit(self):
        self.a_channel(lambda message, payload: None)
        for _ in range(5):
            self.queue_on()
        self.assertEqual([deliver_due(limit=3), deliver_due(limit=3), deliver_due()], [3, 2, 0])

    def test_a_run_begins_nothing_after_its_time(self):
        self.a_channel(lambda message, payload: None)
        for _ in range(3):
            self.queue_on()
        self.assertEqual(deliver_due(budget_seconds=0), 1)

    def test_two_senders_of_one_name_are_refused(self):
        self.a_channel(lambda message, payload: None)
        with self.assertRaises(ValueError):
            channels.register_channel("test", lambda message, payload: None)


class Purge(OutboxCase):
    """Settled messages are kept 30 days, waiting ones for ever."""

    def test_what_is_old_and_settled_goes_and_a_second_run_finds_nothing(self):
        def refuse(message, payload):
            raise Undeliverable(json.dumps(payload))

        self.a_channel(refuse)
        self.a_channel(lambda message, payload: None, "sound")
        self.queue_on()
        self.queue_on("sound")
        deliver_due()
        self.clock.shift(timedelta(days=30, seconds=1))
        waiting = self.queue_on("sound")
        self.assertEqual([purge_messages(), purge_messages()], [2, 0])
        self.assertEqual(list(OutboxMessage.objects.all()), [waiting])
