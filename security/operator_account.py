"""Who typed a command, the system account behind this process, and whether the reason they give may be kept."""

import os
import pwd

from security.redaction import scrub

MAX_REASON_LENGTH = 100


class ReasonRefused(ValueError):  # noqa: N818 - the sentence that the operator reads
    """The reason may not stand in the audit log in clear and for ever."""


def operator_name() -> str:
    """Name of the account that runs this process; environment variables do not decide it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's uid without an entry
        return f"uid {os.getuid()}"


def check_reason(reason: str) -> None:
    """Raises ReasonRefused for what is empty, too long, not printable, or names a person."""
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise ReasonRefused(f"a reason has 1 to {MAX_REASON_LENGTH} printable characters, such as a ticket's number")
    if scrub(reason) != reason:
        raise ReasonRefused("the reason stays in the log for ever; name a ticket in it, and no person")
