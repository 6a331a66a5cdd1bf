"""Sets many headers of an answer at once. The one place that touches the dictionary Django keeps them in.

Assigning encodes each name and value and looks for line ends in it: 14 µs for the fixed set, on every request, for
texts that are the same each time. What is put here was checked once, by `stored`, or is made of our own words and
numbers.
`_store` is private; a test holds that these functions leave what assignments would.
"""

from collections.abc import Iterable

from django.http import HttpResponse
from django.http.response import ResponseHeaders

Stored = dict[str, tuple[str, str]]  # by name in lower case: name and value


def stored(headers: Iterable[tuple[str, str]]) -> Stored:
    """`headers` as Django keeps them. Raises BadHeaderError, and UnicodeError for a name that is not ASCII."""
    return ResponseHeaders(dict(headers))._store


def said(response: HttpResponse) -> Stored:
    """What `response` says already; not to be changed."""
    return response.headers._store


def put(response: HttpResponse, fixed: Stored, *, defaults: Stored | None = None) -> None:
    """Set `fixed`, whatever was said before, and `defaults` where nothing was."""
    if defaults:
        response.headers._store = defaults | response.headers._store
    response.headers._store.update(fixed)
