"""Declares selectors, and answers: from the process, from Redis, from whoever is reading already, from the database.

The two kinds differ by what they must be asked with. A company's takes the company, hands nothing else to what reads,
and has the id in its key: there is no way to ask it for nobody's data, or one company's with another's id.
"""

import json
from collections.abc import Callable, Iterable
from time import sleep
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import models, transaction
from django.db.models.signals import post_delete, post_save

from security.selectors.local import Flight, local
from security.selectors.shared import SCHEMA, Seen, SharedUnavailable, shared
from security.selectors.signals import Result, selector_asked

T = TypeVar("T")
# How long one process waits for another that reads what nobody has. Longer than any read that is worth keeping.
PATIENCE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.02

_names: set[str] = set()


class _Selector(Generic[T]):
    def __init__(self, name: str, *, seconds: int, is_answer: Callable[[Any], bool]) -> None:
        if name in _names:
            raise ValueError(f"there are two selectors named {name}")
        _names.add(name)
        self.name, self.seconds, self._is_answer = name, seconds, is_answer

    def _answer(self, place: str, load: Callable[[], T]) -> T:
        if _sees_what_may_never_be():
            return self._told(Result.DIRECT, load())
        key = self._key(place)
        while True:
            text, flight, is_mine = local.take(key)
            if text is None and is_mine:
                try:
                    text, result = self._read(key, flight, load)
                finally:
                    local.land(key, flight)
                return self._told(result, json.loads(text))
            if text is None:
                flight.done.wait()
                text = flight.text
            if text is not None:
                return self._told(Result.LOCAL, json.loads(text))

    def _read(self, key: str, flight: Flight, load: Callable[[], T]) -> tuple[str, Result]:
        try:
            seen, is_mine = self._find(key, flight)
        except SharedUnavailable:
            text = _text(load())
            local.keep(key, flight, text)
            return text, Result.DIRECT
        if not is_mine and seen.text is not None:
            local.keep(key, flight, seen.text)
            return seen.text, Result.SHARED if seen.is_fresh else Result.STALE
        try:
            text = _text(load())
            local.keep(key, flight, text)
            try:
                shared.keep(self.name, key, text, version=seen.version, seconds=self.seconds)
            except SharedUnavailable:
                return text, Result.DIRECT
        finally:
            if is_mine:
                shared.unlock(self.name, key)
        return text, Result.LOADED

    def _find(self, key: str, flight: Flight) -> tuple[Seen, bool]:
        """What Redis has, and whether it is ours to read the database for all. Waits while another process does."""
        left = PATIENCE_SECONDS
        while True:
            seen = shared.see(self.name, key, self._is_answer)
            if seen.is_fresh:
                return seen, False
            if shared.lock(self.name, key):
                # Somebody may have kept it between our look and our lock.
                seen = shared.see(self.name, key, self._is_answer)
                if seen.is_fresh:
                    shared.unlock(self.name, key)
                    return seen, False
                if seen.text is not None:
                    local.keep(key, flight, seen.text)  # for the other threads, while this one reads
                return seen, True
            if seen.text is not None or left <= 0:
                return seen, False
            sleep(_LOOK_AGAIN_SECONDS)
            left -= _LOOK_AGAIN_SECONDS

    def _told(self, result: Result, value: T) -> T:
        selector_asked.send(sender=type(self), cache=self.name, result=result)
        return value

    def _key(self, place: str) -> str:
        return f"selector:{SCHEMA}:{self.name}:{place}"

    def _drop_on_commit(self, place: str) -> None:
        key = self._key(place)

        def drop() -> None:
            shared.renew(self.name, key)
            local.drop(key)  # last: what a thread took from Redis in between is forgotten too

        transaction.on_commit(drop, robust=True)


class PublicSelector(_Selector[T]):
    """What is the same for whoever may ask: nothing of one company or person.

    `load` reads it as plain JSON; `is_answer` says whether a value is of the form that `load` gives, for Redis may hold
    anything. Kept for `seconds`, at most twice as long where a change could not be told; dropped
    when a row of `models` is saved or deleted. What writes them in bulk calls `changed`.
    """

    def __init__(
        self,
        name: str,
        *,
        seconds: int,
        load: Callable[[], T],
        is_answer: Callable[[Any], bool],
        models: Iterable[type[models.Model]] = (),
    ) -> None:
        super().__init__(name, seconds=seconds, is_answer=is_answer)
        self._load = load
        for model in models:
            for signal in (post_save, post_delete):
                signal.connect(self._row_changed, sender=model, dispatch_uid=f"selector {name}")

    def read(self) -> T:
        """The kept answer, or a new one. Raises what `load` raises."""
        return self._answer("public", self._load)

    def changed(self) -> None:
        """Once the present transaction commits, whoever asks gets a new one: here at once, elsewhere within 1 s."""
        self._drop_on_commit("public")

    def _row_changed(self, **_signal: Any) -> None:
        self.changed()


class CompanySelector(_Selector[T]):
    """What belongs to one company. `load` gets the company's id and nothing else.

    As PublicSelector; `models` maps each model to the id of the company that a row of it belongs to, None for nobody's.
    """

    def __init__(
        self,
        name: str,
        *,
        seconds: int,
        load: Callable[[UUID], T],
        is_answer: Callable[[Any], bool],
        models: dict[type[models.Model], Callable[[Any], UUID | None]],
    ) -> None:
        super().__init__(name, seconds=seconds, is_answer=is_answer)
        self._load, self._company_of = load, models
        for model in models:
            for signal in (post_save, post_delete):
                signal.connect(self._row_changed, sender=model, dispatch_uid=f"selector {name}")

    def read(self, company: UUID) -> T:
        """The kept answer of `company`, or a new one. Raises what `load` raises."""
        return self._answer(company.hex, lambda: self._load(company))

    def changed(self, company: UUID) -> None:
        """As PublicSelector's, of one company."""
        self._drop_on_commit(company.hex)

    def _row_changed(self, sender: type[models.Model], instance: Any, **_signal: Any) -> None:
        company = self._company_of[sender](instance)
        if company is not None:
            self.changed(company)


def _sees_what_may_never_be() -> bool:
    # In a transaction one reads what nobody else may see yet, and what may be rolled back.
    return transaction.get_connection().in_atomic_block


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
