"""Which failures are the same: those of one type at one place in the code, whatever they were about. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from types import TracebackType

_MAX_CHAIN = 5
_MOST_PLACES = 30
_ROOT = f"{Path(__file__).resolve().parents[2]}/"
# Through these of ours goes every statement: they are never where it came from.
AROUND_STATEMENTS = ("monitoring/database/recorder.py", "security/statements.py", "security/trail/transactions.py")


def chain(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, as a traceback would show them: each once, at most five."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(links) < _MAX_CHAIN and not any(link is other for other in links):
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return links


def type_name(error: BaseException) -> str:
    """`module.Class`."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def fingerprint_of(error: BaseException) -> str:
    """16 hex digits of the types in the chain, and of the functions it went through.

    Not of lines, which move with each release; nor of texts, which differ each time. Of frames that repeat, as those of
    an endless recursion do, one counts; where some are ours, no others do: a library's inside is not ours to mend.
    """
    parts = []
    for link in chain(error):
        places = [place for place, _ in groupby(_places(link.__traceback__))]
        ours = [place for place in places if not place.startswith("/")]
        parts += [type_name(link), *(ours or places)[-_MOST_PLACES:]]
    return blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def place_of(error: BaseException) -> str:
    """`accounts/login/services.py log_in`: where our own code was when it happened; "" where none was."""
    elsewhere = ("/", *AROUND_STATEMENTS)
    ours = [place for place in _places(error.__traceback__) if not place.startswith(elsewhere)]
    return ours[-1] if ours else ""


@lru_cache(maxsize=4096)
def own_path(file: str) -> str:
    """`file` from the root of our code on; "" for one of Python's or of a library's."""
    return file.removeprefix(_ROOT) if file.startswith(_ROOT) and "/site-packages/" not in file else ""


def _places(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{own_path(code.co_filename) or code.co_filename} {code.co_name}"
        traceback = traceback.tb_next
