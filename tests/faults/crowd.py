"""Many clients who ask at the same moment, each on a connection of its own."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.faults.client import Answer, Client
from tests.faults.stand import Person
from tests.faults.traffic import LOGIN

T = TypeVar("T")

AT_ONCE_SECONDS = 30


def at_once(asks: Iterable[Callable[[], T]]) -> list[T]:
    """What each of `asks` returned, all begun together in threads of their own."""
    asks = list(asks)
    barrier = threading.Barrier(len(asks))

    def ask(one: Callable[[], T]) -> T:
        barrier.wait(AT_ONCE_SECONDS)
        return one()

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(ask, asks))


def guess(client: Client, person: Person, password: str, *, token: str) -> Answer:
    """The answer to a password; who hears that there is no room to hash it asks again, as a guesser would.

    `token` is the guesser's own: without one their calls count as those of their address, which is over its limit
    long before fifty have guessed.
    """
    while True:
        answer = client.post(LOGIN, {"email": person.email, "password": password}, token=token)
        if answer.code != "BUSY":
            return answer
