"""Where mail goes on a laptop: one file a mail in the data folder, which any mail program opens."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class MailFolder(BaseEmailBackend):
    """Writes each mail whole to `EMAIL_FILE_PATH`, as `<UTC time>-<random>.eml`: sorted by name, the newest is last.

    Django's own backend writes one `.log` a connection, named by the time of the settings' zone, with rulers
    between. Raises OSError, which the outbox takes for a relay that is away.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            _write(folder, message.message())
        return len(email_messages)


def _write(folder: Path, mail: Any) -> None:
    name = f"{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}-{token_hex(4)}.eml"
    draft = folder / f".{name}"  # nobody must read half a mail
    draft.touch(mode=0o600)
    draft.write_bytes(mail.as_bytes())
    draft.rename(folder / name)
