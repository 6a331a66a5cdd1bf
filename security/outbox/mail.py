"""The mail channel: the closed list of mails, their words from `templates/mail/<kind>.txt`, the relay.

Plain text only. A template's first line is its subject. No text of a person's own choosing stands in a mail,
so that nobody can have us write to a stranger in their words.
"""

import smtplib
from collections.abc import Mapping
from email.utils import parseaddr
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template import Context, engines

from security.outbox.channels import ChannelDown, DeliveryFailed, Undeliverable, register_channel

CHANNEL = "mail"
_SUBJECT = "Subject: "


class Mail(StrEnum):
    """The mails we write."""

    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    SECOND_FACTOR_ENABLED = "second_factor_enabled"
    SECOND_FACTOR_DISABLED = "second_factor_disabled"
    SESSION_CLOSED_BY_REUSE = "session_closed_by_reuse"


# What a mail needs beside `when` and `client`, which every mail tells.
_NEEDS: Mapping[Mail, frozenset[str]] = {Mail.PASSWORD_RESET: frozenset({"link", "valid_minutes"})}


def render_mail(kind: Mail, context: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and body of a mail.

    `context` holds `when` (aware datetime), `client` (family of the program, "" where unknown) and what the
    mail needs besides. Raises ValueError for a missing or unknown member: a gap must fail the act, not greet
    the reader.
    """
    wanted = {"when", "client"} | _NEEDS.get(kind, frozenset())
    if context.keys() != wanted:
        raise ValueError(f"mail {kind} takes exactly {', '.join(sorted(wanted))}")
    engine = engines["django"].engine  # type: ignore[attr-defined]
    # Autoescape is for HTML: in plain text it would turn the & of a link into &amp;.
    values = {**context, "web_url": settings.WEB_URL}
    text = engine.get_template(f"mail/{kind}.txt").render(Context(values, autoescape=False))
    head, _, body = text.partition("\n")
    if not head.startswith(_SUBJECT):
        raise ValueError(f"mail/{kind}.txt does not begin with its subject")
    return head.removeprefix(_SUBJECT).strip(), body.strip() + "\n"


def message_id(message: UUID) -> str:
    """Message-ID made from the row's id, so that two copies are one message to the reader's program."""
    _, _, domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")
    return f"<{message}@{domain or 'localhost'}>"


def send_mail(message: UUID, payload: Mapping[str, Any]) -> None:
    """Hand a rendered mail to the relay; returns once the relay has taken responsibility (RFC 5321 §4.2.5).

    Raises Undeliverable, ChannelDown or DeliveryFailed; their texts hold neither address nor words of the
    mail.
    """
    email = EmailMessage(
        subject=payload["subject"],
        body=payload["body"],
        to=[payload["to"]],
        headers={
            "Message-ID": message_id(message),
            "Auto-Submitted": "auto-generated",  # RFC 3834 §5: no out-of-office answers
        },
    )
    try:
        email.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        if all(500 <= code < 600 for code in codes):
            raise Undeliverable(f"the relay refused the recipient for good ({min(codes)})") from None
        raise DeliveryFailed(f"the relay refused the recipient for now ({min(codes)})") from None
    except smtplib.SMTPDataError as error:
        raise DeliveryFailed(f"the relay refused the message ({error.smtp_code})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise ChannelDown(f"the relay does not answer ({type(error).__name__})") from error


register_channel(CHANNEL, send_mail)
