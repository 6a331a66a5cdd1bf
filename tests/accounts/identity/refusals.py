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


def value_or_code(read: Callable[[], str]) -> str:
    """What `read` gives, or the code of its refusal."""
    try:
        return read()
    except MistypedError as error:
        return error.code


class Refused:
    """Base: of one kind of number `good` is one, and no refusal of a `mistyped` one shows the `parts`."""

    refusal: Refusal
    good: str
    mistyped: tuple[str, ...]
    parts: tuple[str, ...]

    def test_the_message_repeats_nothing(self) -> None:
        for text in self.mistyped:
            error = self.refusal(text)
            assert str(error) == error.message
            for part in self.parts:
                assert part not in error.message + repr(error), text

    def test_survives_the_way_between_processes(self) -> None:
        error = pickle.loads(pickle.dumps(self.refusal("")))
        assert (error.message, error.code) == (self.refusal("").message, "length")

    def test_ten_kilobytes_are_refused_within_ten_milliseconds(self) -> None:
        for unit in (*"A09 -+٣\0ß", self.good):
            text = (unit * 10_240)[:10_240]
            started = time.thread_time()
            for _ in range(10):  # of this thread: a busy machine must not fail the bar
                assert self.refusal(text).code == "length"
            assert (time.thread_time() - started) / 10 < 0.010, unit
