"""People who use the product at once while something is done to it, and what they were told."""

import threading
import time
from collections.abc import Callable
from typing import Any, Self

from tests.faults.client import Answer, Client
from tests.faults.stand import Person

REFRESH, LOGIN, LOGOUT, ME = "/api/auth/refresh", "/api/auth/login", "/api/auth/logout", "/api/auth/me"
RENAME = f"PATCH {ME}"
# What nobody may be told while a part is away, beside no answer at all.
BACK_OFF_SECONDS = 0.02
TOKEN_SECONDS = 600  # it lives for 900


class Visitor:
    """One person at one client: `step` does one thing, `told` keeps every answer by path."""

    def __init__(self, person: Person, *, port: int, number: int) -> None:
        self.person = person
        self.client = Client(port, number=number)
        self.told: list[tuple[str, Answer]] = []
        self.accepted_after_end = 0

    def ask(self, path: str, document: dict[str, Any] | None = None, *, token: str = "") -> Answer:
        answer = (
            self.client.get(path, token=token) if document is None else self.client.post(path, document, token=token)
        )
        self.told.append((path, answer))
        return answer

    def step(self) -> None:
        raise NotImplementedError


class Refresher(Visitor):
    """Refreshes again and again, as an app does: without an answer it presents the same token once more.

    `successors` holds what each token was exchanged for: two of one token would be a session that forked.
    """

    def __init__(self, person: Person, *, port: int, number: int) -> None:
        super().__init__(person, port=port, number=number)
        self.access, self.refresh = person.access, person.refresh
        self.successors: dict[str, set[str]] = {}

    def step(self) -> None:
        answer = self.ask(REFRESH, {"refreshToken": self.refresh})
        if answer.status == 200:
            successor = answer.document["refreshToken"]
            self.successors.setdefault(self.refresh, set()).add(successor)
            self.access, self.refresh = answer.document["accessToken"], successor
            self.ask(ME, token=self.access)


class Renamer(Visitor):
    """Takes a name with a new number in it again and again: `numbers` says which request asked for which.

    Whoever got no answer goes on with the next number, so that each 200 is a change that was made. A token is exchanged
    before it ends, which in a long run on a slow machine it does.
    """

    def __init__(self, person: Person, *, port: int, number: int) -> None:
        super().__init__(person, port=port, number=number)
        self.numbers: dict[str, int] = {}
        self.access, self.refresh, self._since = person.access, person.refresh, time.monotonic()

    def step(self) -> None:
        if time.monotonic() - self._since > TOKEN_SECONDS:
            answer = self.ask(REFRESH, {"refreshToken": self.refresh})
            if answer.status == 200:
                self.access, self.refresh = answer.document["accessToken"], answer.document["refreshToken"]
                self._since = time.monotonic()
            return
        wanted = len(self.numbers) + 1
        answer = self.client.patch(ME, {"name": f"Act {wanted}"}, token=self.access)
        self.numbers[answer.request_id] = wanted
        self.told.append((RENAME, answer))


class SignIn(Visitor):
    """Signs in, looks, signs out, and tries the ended session's token once more: it must not be accepted."""

    def step(self) -> None:
        answer = self.ask(LOGIN, {"email": self.person.email, "password": self.person.password})
        if answer.status != 200:
            return
        token = answer.document["accessToken"]
        self.ask(ME, token=token)
        if self.ask(LOGOUT, {}, token=token).status == 200:
            again = self.client.get(ME, token=token)
            self.accepted_after_end += again.status == 200


class Traffic:
    """Runs visitors, each in a thread of its own, while its block lasts."""

    def __init__(self, visitors: list[Visitor]) -> None:
        self.visitors = visitors
        self._end = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(visitor,)) for visitor in visitors]

    def _run(self, visitor: Visitor) -> None:
        try:
            while not self._end.is_set():
                before = len(visitor.told)
                visitor.step()
                if any(answer.status in (0, 503) for _, answer in visitor.told[before:]):
                    self._end.wait(BACK_OFF_SECONDS)
        except BaseException as error:  # noqa: BLE001 - raised again where the block ends
            self._errors.append(error)
        finally:
            visitor.client.close()

    @property
    def answers(self) -> list[Answer]:
        """All answers so far, in no order."""
        return [answer for visitor in self.visitors for _, answer in list(visitor.told)]

    def of(self, path: str) -> list[Answer]:
        """The answers so far to one path."""
        return [answer for visitor in self.visitors for asked, answer in list(visitor.told) if asked == path]

    def until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Look until `condition` holds, at most `seconds`; whether it did."""
        deadline = time.monotonic() + seconds
        while not condition() and not self._errors:
            if time.monotonic() > deadline:
                return False
            self._end.wait(0.01)
        return True

    def go_on(self, seconds: float) -> None:
        """Let them go on for so long."""
        self._end.wait(seconds)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
