"""The case of the canary tests: it knows what was sent, keeps what was answered, and looks everywhere for it."""

import itertools
import json
from contextlib import ExitStack
from typing import Any

from django.test import Client

from tests.base import CommittingApiTestCase
from tests.contract.walk.sinks import captured_log, columns, database, shared_store
from tests.contract.walk.values import IN_CLEAR, Canary, found

_series = itertools.count(880_001)  # no two tests share a value: SQLite's freed pages still hold those of the last one


class KeepingClient(Client):
    """Keeps every answer: `kept` is (method and path, answer) in order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(raise_request_exception=False, **options)
        self.kept: list[tuple[str, Any]] = []

    def generic(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        response = super().generic(method, path, *arguments, **options)
        self.kept.append((f"{method} {path}", response))
        return response


class CanaryCase(CommittingApiTestCase):
    """Everything commits, as it does for people; the log of the process is captured at the level DEBUG."""

    # Whether the test brought every kind that IN_CLEAR tells of to where they say.
    is_everything_there = False

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.client = KeepingClient()
        self.canaries: list[Canary] = []
        self.number = next(_series)
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.log = stack.enter_context(captured_log())

    def know(self, kind: str, value: str) -> str:
        """`value`, which is looked for from now on."""
        self.canaries.append(Canary(kind, value))
        return value

    def a_password(self, kind: str = "password") -> str:
        # Quotes, a backslash and the signs of addresses: where texts are quoted or cut, half of it could be left.
        return self.know(kind, f"KestrelWing'HeronFeather\"{self.number}-{len(self.canaries)}\\PipitNest@SwiftTail/%41")

    def refusals(self) -> dict[str, bytes]:
        """Each answer that refused, as the other side reads it, but for the two texts that are its own by design.

        `instance` is the address it asked for (RFC 9457 §3.1.5), and a refused name of a member is told by that name.
        """
        kept = {}
        for number, (asked, response) in enumerate(self.client.kept):
            if response.status_code >= 400:
                head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
                kept[f"answer to {asked[:60]} ({number})"] = head.encode() + _without_own_words(response)
        return kept

    def assertNowhere(self) -> None:
        """No canary is anywhere, but where IN_CLEAR says, and there it is."""
        in_columns = found(self.canaries, columns())
        allowed = {(kind, place) for kind, places in IN_CLEAR.items() for place in places}
        expected = {hit for hit in allowed if hit[0] in {one.kind for one in self.canaries}}
        sealed = [one for one in self.canaries if not one.in_clear]
        with self.subTest("columns"):
            self.assertEqual(set(in_columns) - allowed, set())
            # A row of the table that is true no more is taken out of it.
            self.assertEqual(expected - set(in_columns) if self.is_everything_there else set(), set())
        with self.subTest("the database as a whole"):
            self.assertEqual(found(sealed, database()), [])
        with self.subTest("Redis"):
            self.assertEqual(found(self.canaries, shared_store()), [])
        with self.subTest("the log"):
            self.assertGreaterEqual(self.log.getvalue().count('"event":"request"'), len(self.client.kept) // 2)
            self.assertEqual(found(self.canaries, {"log": self.log.getvalue().encode()}), [])
        with self.subTest("refusals"):
            self.assertEqual(found(self.canaries, self.refusals()), [])


def _without_own_words(response: Any) -> bytes:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if response.headers.get("Content-Type") != "application/problem+json":
        return bytes(body)
    problem = json.loads(body)
    told = [one for one in problem.get("details", []) if one["code"] != "forbidden_name"]
    return json.dumps({**problem, "instance": "", "details": told}, ensure_ascii=False).encode()
