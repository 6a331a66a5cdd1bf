"""Brings a text into the one plain form that patterns are written for. It judges nothing and keeps nothing."""

import re
import unicodedata
from html import unescape
from urllib.parse import unquote

MAX_VALUE_CHARACTERS = 2048
# Servers and frameworks behind each other undo encodings one after the other; three is one more than any we know of.
_ROUNDS = 3

_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4})\}?|\\x([0-9a-fA-F]{2})|%u([0-9a-fA-F]{4})")
# UTF-8 in more bytes than a character needs (RFC 3629 §3 forbids it): C0 AE, E0 80 AE and F0 80 80 AE are dots.
_OVERLONG = re.compile(r"(?:%f0%80|%e0)%80%([89ab][0-9a-f])|%c([01])%([89ab][0-9a-f])", re.IGNORECASE)
_COMMENT = re.compile(r"/\*(?!!)[^*]{0,200}\*/|/\*!?\d{0,6}|\*/")
_BREAKS = re.compile(r"[\r\n\x85]+")
_BLANKS = re.compile(r"[ \t\xa0]+")
# Characters nobody sees, put between letters so that a word is none.
_UNSEEN = dict.fromkeys(map(ord, "\xad\u200b\u200c\u200d\u2060\ufeff\u180e"))
# Quotes that word processors set, and that some databases take for plain ones.
_QUOTES = {ord(quote): "'" for quote in "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc"}
_QUOTES |= {ord(quote): '"' for quote in "\u201c\u201d\u201e\u201f\u2033"}
_PLAINER = _UNSEEN | _QUOTES


def decoded(text: str) -> str:
    """`text` without disguise: encodings undone, NFKC, lower case, comments and runs of blanks each one space.

    Work and result are bounded: each step sees at most MAX_VALUE_CHARACTERS.
    """
    for _ in range(_ROUNDS):
        plainer = _one_round(text)
        if plainer == text:
            break
        text = plainer
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:MAX_VALUE_CHARACTERS].translate(_PLAINER)
    text = text.lower()
    if "/*" in text or "*/" in text:
        text = _COMMENT.sub(" ", text)
    return _BLANKS.sub(" ", _BREAKS.sub("\n", text))


def _one_round(text: str) -> str:
    if "%" in text:
        text = unquote(_OVERLONG.sub(_short, text), errors="replace")
    if "&" in text:
        text = unescape(text)
    if "\\" in text or "%u" in text:
        text = _ESCAPE.sub(_character, text)
    return text[:MAX_VALUE_CHARACTERS]


def _short(match: re.Match[str]) -> str:
    low = int(match[1] or match[3], 16) & 0x3F
    return chr(int(match[2] or "0") << 6 | low)


def _character(match: re.Match[str]) -> str:
    number = int(match[1] or match[2] or match[3], 16)
    # Half a pair is no character, and no text of ours may hold one.
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= number < 0xE000 else chr(number)
