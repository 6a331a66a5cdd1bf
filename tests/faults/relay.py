"""A relay on loopback that keeps mails, and does something at the moment one for a certain person arrives."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from aiosmtpd.controller import Controller

from tests.ports import free_port
from tests.security.outbox.sink import Sink


class Relay(Sink):
    """`strike` runs once, when the first mail to `address` is whole: before it is kept, or after and before the 250."""

    def __init__(self, address: str, *, strike: Callable[[], object] = lambda: None, keeps_first: bool = True) -> None:
        super().__init__()
        self.address = address
        self.strike = strike
        self.keeps_first = keeps_first
        self.has_struck = False
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=30)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.address not in envelope.rcpt_tos or self.has_struck:
            return await super().handle_DATA(server, session, envelope)
        self.has_struck = True
        if not self.keeps_first:
            self.strike()
            return "451 never heard by the sender"
        answer = await super().handle_DATA(server, session, envelope)
        self.strike()
        return answer

    @property
    def ids(self) -> list[str]:
        """Message-IDs of the mails kept for the person, in order of arrival."""
        return [mail["Message-ID"] for mail in self.mails if mail["To"] == self.address]

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ConnectionError):
            self._controller.stop(no_assert=True)
