"""A real SMTP server on loopback that keeps what it accepts, and says no in the ways a relay does."""

import email
from email import policy
from typing import Any

from aiosmtpd.controller import Controller
from django.test import override_settings

from tests.ports import free_port


class Sink:
    """Keeps accepted mails in `mails`; answers RCPT with `rcpt` and DATA with `data` where they are set."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.rcpt = ""
        self.data = ""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data:
            return self.data
        self.mails.append(email.message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 OK"


def mail_settings(port: int) -> override_settings:
    """Settings under which mail goes to a relay at `port`."""
    return override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        EMAIL_USE_TLS=False,
        EMAIL_HOST_USER="",
        EMAIL_TIMEOUT=5,
    )


class SinkMixin:
    """Runs a sink during each test, with the mail settings pointing at it."""

    def setUp(self):
        super().setUp()
        self.sink = Sink()
        self.port = free_port()
        self.start_the_relay()
        self.addCleanup(self.stop_the_relay)
        settings = mail_settings(self.port)
        settings.enable()
        self.addCleanup(settings.disable)

    def start_the_relay(self) -> None:
        self.controller = Controller(self.sink, hostname="127.0.0.1", port=self.port, ready_timeout=20)
        self.controller.start()

    def stop_the_relay(self) -> None:
        """Nothing listens any more when this returns; a second call changes nothing."""
        if self.controller is not None:
            self.controller.stop(no_assert=True)
            self.controller = None
