"""Selectors of tests, and what they told of themselves."""

import itertools
import threading
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from security.breaker import cache_asked
from security.selectors import PublicSelector, selector_asked
from security.selectors.local import local

_numbers = itertools.count(1)


def a_name() -> str:
    """One that no selector has: each lives as long as the process."""
    return f"of_a_test_{next(_numbers)}"


def anything(_value: Any) -> bool:
    """Takes whatever JSON there is for an answer."""
    return True


@contextmanager
def listening():
    """Lists that fill with each answer's result, and with the name of the selector for each error of Redis."""
    results, errors = [], []

    def ask(cache, result, **_):
        results.append(str(result))

    def fail(cache, result, **_):
        if result == "error":
            errors.append(cache)

    selector_asked.connect(ask)
    cache_asked.connect(fail)
    try:
        yield results, errors
    finally:
        selector_asked.disconnect(ask)
        cache_asked.disconnect(fail)


def another_process() -> None:
    """From here on this process knows what one knows that has just started."""
    local.forget()


def committed() -> Any:
    """Selectors take what a test did for committed, which rolls it back after its end."""
    return patch("security.selectors.selector._sees_what_may_never_be", lambda: False)


class Source:
    """What a selector of a test reads, and how often it was read."""

    def __init__(self, value=1):
        self.value, self.reads = value, 0
        self.asked, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self):
        self.reads += 1
        value = self.value
        self.asked.set()
        self.gate.wait(10)
        return value

    def selector(self, *, seconds=60):
        return PublicSelector(a_name(), seconds=seconds, load=self, is_answer=anything)
