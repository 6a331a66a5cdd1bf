"""What the tests of the outbox stand on: a clock that is moved by hand, one person, and channels of their own."""

from datetime import UTC, datetime

import time_machine
from django.db import transaction
from django.test import TransactionTestCase

from security.crypto import SubjectKey
from security.outbox import Mail, OutboxMessage, channels, enqueue, enqueue_mail

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TO = "asha@lotus.example.in"


class OutboxCase(TransactionTestCase):
    """A clock that stands, and one person."""

    def setUp(self):
        super().setUp()
        traveller = time_machine.travel(NOON, tick=False)
        self.clock = traveller.start()
        self.addCleanup(traveller.stop)
        self.subject = SubjectKey.objects.issue()

    def queue(self, times: int = 1, *, to: str = TO, kind: Mail = Mail.PASSWORD_CHANGED) -> OutboxMessage:
        with transaction.atomic():
            for _ in range(times):
                message = enqueue_mail(subject=self.subject, to=to, kind=kind)
        return message

    def row(self, message: OutboxMessage) -> OutboxMessage:
        return OutboxMessage.objects.get(pk=message.pk)

    def a_channel(self, send, name: str = "test") -> None:
        channels.register_channel(name, send)
        self.addCleanup(channels._channels.pop, name)

    def queue_on(self, name: str = "test", **payload) -> OutboxMessage:
        with transaction.atomic():
            return enqueue(channel=name, kind="k", subject=self.subject, payload=payload)
