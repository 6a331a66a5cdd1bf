"""Tells whether a password is a common one in disguise. Offline, from the lists that Django and zxcvbn ship.

Only the 8-byte digests of the lists' entries are kept (0.8 MB in a process; the words themselves took 12 MB),
and they are made at the first question.
"""

import ast
import gzip
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from django.contrib.auth import password_validation

from accounts.passwords.spelling import fold, readings

# Words of this product and its trade, which no general list ranks (ASVS 5.0 6.2.11).
CONTEXT_WORDS = (
    "koshflow",
    "kosh",
    "gstin",
    "gstindia",
    "taxinvoice",
    "ledger",
    "tally",
    "bharat",
    "omsairam",
    "jaimatadi",
)
_DJANGO_LIST = Path(password_validation.__file__).with_name("common-passwords.txt.gz")
_SHORTEST = 3
# More than this around a word is a secret of its own, unless it is a common one, too.
_DECORATION = 8
# No listed word and no walk is longer: beyond it a text can only be common by repeating one.
_LONGEST = 36
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_WALKS = (*_ROWS, *(row[::-1] for row in _ROWS), "poiuytrewqlkjhgfdsamnbvcxz", "1234567890" * 2, "0987654321" * 2)
_LIST_LINE = re.compile(r'\s*"[a-z_]+": ("[^"]*")\.split')
_DIGITS = re.compile(r"\d+")
_SEPARATORS = re.compile(r"[\W_]+")
# In ASCII a table takes them out ten times as fast, and a password of nothing else is where time would be lost.
_NO_SEPARATORS = {code: None for code in range(128) if not chr(code).isalnum()}


class CommonListMissing(RuntimeError):  # noqa: N818 - named for what happened
    """A package no longer ships the list we read: without it every password would pass."""


def is_common(password: str) -> bool:
    """Whether `password`, without case, look-alike letters, repetition and decoration, is a common one.

    Decoration is what people hang on a word to please a policy: digits, years and symbols at either end. A
    longer password that merely contains a common word is not common.
    """
    text = fold(password)
    cores = list(_cores(text))
    return any(_holds_known(reading, cores) for reading in dict.fromkeys(readings(text)))


def _cores(text: str) -> Iterator[tuple[int, int]]:
    """Where every middle that may be the word begins and ends: up to eight characters of decoration come off the two
    ends.
    """
    starts = next((at for at, char in enumerate(text) if char.isalpha()), len(text))
    ends = next((at for at in range(len(text), 0, -1) if text[at - 1].isalpha()), 0)
    # All of these hold the same middle. Looking at each of a thousand characters cost 50 ms.
    if len(text) <= 2 * (_DECORATION + _LONGEST) or _may_repeat(text[_DECORATION:-_DECORATION]):
        for start in range(min(starts, _DECORATION) + 1):
            shortest = max(ends, len(text) - (_DECORATION - start), start + _SHORTEST)
            for end in range(shortest, len(text) + 1):
                yield start, end
    # Beyond that, decoration counts as such only where its own digits are a common row (Password@123456789).
    if starts < ends and all(_is_plainly_known(run) for run in _DIGITS.findall(text[:starts] + " " + text[ends:])):
        yield starts, ends


def _holds_known(spelling: str, cores: Iterable[tuple[int, int]]) -> bool:
    """Whether one of `cores` of `spelling` is a known word, as it stands or without its separators.

    The separators are taken out once and the cores cut from what is left: one by one that was most of the cost.
    """
    bare = _without_separators(spelling)
    words = set()
    for start, end in cores:
        words.add(spelling[start:end])
        before, after = (len(_without_separators(part)) for part in (spelling[:start], spelling[end:]))
        words.add(bare[before : len(bare) - after])
    return any(map(_is_plainly_known, words))


def _without_separators(text: str) -> str:
    return text.translate(_NO_SEPARATORS) if text.isascii() else _SEPARATORS.sub("", text)


def _is_plainly_known(word: str) -> bool:
    if len(word) < _SHORTEST:
        return False
    unit = _unit(word)
    if len(unit) > _LONGEST:
        return False
    return len(unit) < _SHORTEST or any(unit in walk for walk in _WALKS) or _is_listed(unit) or _is_listed(word)


def _may_repeat(middle: str) -> bool:
    """Whether `middle`, in one of its readings, repeats a known piece, wherever in it the repetition begins."""
    texts = {text for reading in readings(middle) for text in (reading, _without_separators(reading))}
    return any(
        len(unit) < _SHORTEST or any(_is_plainly_known(unit[at:] + unit[:at]) for at in range(len(unit)))
        for unit in set(map(_unit, texts))
        if len(unit) <= 2 * _LONGEST
    )


def _unit(word: str) -> str:
    """The piece of at most _LONGEST characters that `word` repeats (abcabcab: abc), or the whole word."""
    # It begins anew where the first characters come again; comparing at each length was most of the cost.
    half = len(word) // 2
    start = word[: min(_SHORTEST, len(word) - half)]
    length = word.find(start, 1, _LONGEST + len(start))
    while 0 < length <= half:
        if word.startswith(word[length:]):
            return word[:length]
        length = word.find(start, length + 1, _LONGEST + len(start))
    return word


def _digest(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")


def _is_listed(word: str) -> bool:
    known = _known()
    digest = _digest(word)
    at = bisect_left(known, digest)
    return at < len(known) and known[at] == digest


@lru_cache(maxsize=1)
def _known() -> "array[int]":
    # Sorted bucket by bucket: sorting the whole at once would need ten times its memory, and a worker keeps
    # its peak.
    buckets = [array("Q") for _ in range(256)]
    for word in _listed_words():
        if len(word) >= _SHORTEST:
            digest = _digest(word)
            buckets[digest >> 56].append(digest)
    known = array("Q")
    for bucket in buckets:
        known.extend(sorted(set(bucket)))
    return known


def _listed_words() -> Iterator[str]:
    yield from CONTEXT_WORDS
    with gzip.open(_DJANGO_LIST, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield fold(line.strip())
    yield from _zxcvbn_words()


def _zxcvbn_words() -> Iterator[str]:
    """Passwords, English words, names and surnames, by zxcvbn.

    Its module is read as text: importing it would keep 14 MB of tables that only its own estimate needs.
    """
    spec = find_spec("zxcvbn")
    if spec is None or not spec.submodule_search_locations:
        raise CommonListMissing("zxcvbn is not installed")
    lists = 0
    with (Path(spec.submodule_search_locations[0]) / "frequency_lists.py").open(encoding="utf-8") as lines:
        for line in lines:
            found = _LIST_LINE.match(line)
            if found:
                lists += 1
                for word in re.finditer(r"[^,]+", ast.literal_eval(found[1])):
                    yield fold(word[0])
    if lists == 0:
        raise CommonListMissing("zxcvbn's lists have another form")
