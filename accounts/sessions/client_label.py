"""Tells a person which device a session is on: "Chrome on Windows". Versions are left out; they only age."""

from functools import lru_cache

from security.sanitize import TextRefused, plain_text

UNKNOWN = "Unknown client"
MAX_LABEL_LENGTH = 80


@lru_cache(maxsize=1024)
def client_label(user_agent: str) -> str:
    """Program and system named in `user_agent` (at most 512 characters of it), at most 80 characters long."""
    if not user_agent:
        return UNKNOWN
    # Loading its patterns costs 60 ms and 6 MB: only a process that signs people in pays it.
    from ua_parser import parse  # noqa: PLC0415

    parsed = parse(user_agent[:512])
    program = parsed.user_agent.family if parsed.user_agent else ""
    system = parsed.os.family if parsed.os else ""
    label = f"{program} on {system}" if program and system else program or system
    # A few patterns take the program's name from the header as it was sent: `x<b>/1 CFNetwork/1`.
    try:
        return plain_text(label[:MAX_LABEL_LENGTH], max_length=MAX_LABEL_LENGTH) or UNKNOWN
    except TextRefused:  # a control character
        return UNKNOWN
