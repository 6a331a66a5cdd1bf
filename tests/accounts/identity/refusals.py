"""What holds for the refusal of each typed number, whatever it is of."""

import pickle
import time
from collections.abc import Callable

import pytest

from accounts.identity.mistyped import MistypedError

Refusal = Callable[[str], MistypedError]


def refusals_of(parse: Callable[[str], object], kind: type[MistypedError]) -> Refusal:
    """How `parse` refuses a text; a text that it takes fails the test."""

    def refusal(text: str) -> MistypedError:
        with pytest.raises(kind) as caught:
            parse(text)
        return caught.value

    return refusal


def assert_survives_the_way_between_processes(refusal: Refusal) -> None:
    error = pickle.loads(pickle.dumps(refusal("")))
    assert (error.message, error.code) == (refusal("").message, "length")


def assert_ten_kilobytes_are_refused_within_ten_milliseconds(refusal: Refusal, unit: str) -> None:
    text = (unit * 10_240)[:10_240]
    started = time.thread_time()
    for _ in range(10):  # of this thread: a busy machine must not fail the bar
        assert refusal(text).code == "length"
    assert (time.thread_time() - started) / 10 < 0.010
