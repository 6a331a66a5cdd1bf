"""Which texts of a request are looked at, and under which names they never are. It parses no more than it must."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from security.redaction import is_any_word

MAX_BODY_BYTES = 65_536
# Twice what the parser lets through: JSON_MAX_MEMBERS names, as many texts, and the marks around them.
MAX_TOKENS = 4_000

# Passwords are any text at all: quotes in one are strength, not attack. What stands under these names goes to a hash or
# a comparison and nowhere else, so there is nothing to protect by reading it. Personal names and addresses are read.
_SECRET = frozenset(
    {
        "password", "passwd", "passphrase", "passcode", "pwd", "token", "jwt", "secret", "credential", "otp", "totp",
        "code", "pin", "key", "apikey", "signature", "authorization", "bearer", "cookie", "csrfmiddlewaretoken",
        "csrf", "sessionid", "answer",
    }
)  # fmt: skip

# Strings and the marks between them. Each alternative consumes what it began, an unclosed string to the end of the
# text, so that the search never looks at a character twice.
_TOKEN = re.compile(r'"((?:[^"\\]++|\\.)*)(?:"(\s{0,100}+:)?|\\?\Z)|([{\[])|([}\]])', re.DOTALL)


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a value under `name` is a secret."""
    return is_any_word(name, _SECRET)


def texts_of_query(query: str) -> Iterator[tuple[str, str]]:
    """Names and values as they were sent, encoded: the encoding itself may be the disguise."""
    for pair in query.split("&"):
        name, mark, value = pair.replace("+", " ").partition("=")
        yield "query", name
        if mark and not is_secret(name[:128]):
            yield "query", value


def texts_of_json(body: bytes) -> Iterator[tuple[str, str]]:
    """Names and texts of a JSON document, well formed or not, in their order; without those under a secret name.

    Reads MAX_BODY_BYTES and MAX_TOKENS at most. Names inside a secret are read: `{"password": {"$ne": ""}}` is no
    password.
    """
    secrets = [False]  # of the containers that are open, the innermost last
    is_under_secret = False
    for token in islice(_TOKEN.finditer(body[:MAX_BODY_BYTES].decode("utf-8", "replace")), MAX_TOKENS):
        text, colon, opens, _ = token.groups()
        if text is not None:
            text = _unescaped(text)
            if colon:
                yield "body", text
                is_under_secret = is_secret(text[:128])
            elif not (is_under_secret or secrets[-1]):
                yield "body", text
        elif opens:
            secrets.append(secrets[-1] or is_under_secret)
        else:
            if len(secrets) > 1:
                secrets.pop()
            is_under_secret = False


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text  # the parser will refuse the document; what it says can be looked at as it stands
