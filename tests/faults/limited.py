"""What the tests of limits ask a server of several processes, or of one."""

from functools import partial
from typing import ClassVar

from tests.faults.client import Answer, Client
from tests.faults.crowd import at_once, guess
from tests.faults.stand import FaultCase, Person
from tests.faults.traffic import ME
from tests.performance.servers import Project
from tests.server import Server

LIMIT, WORKERS = 100, 4
CALLERS = 20
LOCK = 5
WRONG = "Wrong-Ledger-47"
# Loopback addresses 127.0.0.n that no other fault run uses: checks of passwords stay counted for 15 minutes.
OFFICE, ELSEWHERE, STORM, FIRST_GUESSER = 100, 101, 102, 110


class LimitsCase(FaultCase):
    """Tests on one server for their class, with the general tier as it is delivered, or as `environment` says.

    Every client forges its address anew with each request: no claim may change anything.
    """

    project: Project
    _running: ClassVar[Server | None] = None

    def setUp(self) -> None:
        super().setUp()
        self.project = self.stand.with_environment(**{"RATE_LIMIT_GENERAL": f"{LIMIT}/15m", **self.environment()})
        mine = type(self)
        if mine._running is None:
            mine._running = self.serve(self.project, is_for_class=True)
        self.server = mine._running
        self.guessers = self.stand.bystanders

    def environment(self) -> dict[str, str]:
        """Variables of the server beside those of the stand."""
        return {}

    def ask(self, person: Person, *, number: int) -> Answer:
        """The answer to one call on a connection of its own: any worker may take it."""
        with Client(self.server.port, number=number, forges=True) as client:
            return client.get(ME, token=person.access)

    def person_early_in_a_window(self, *, number: int) -> tuple[Person, Answer]:
        """Somebody whose window has at least a minute left, and the answer that told so: the first of that window."""
        while True:
            [person] = self.stand.people(1)
            answer = self.ask(person, number=number)
            if int(answer.headers["ratelimit"].rpartition("t=")[2]) >= 60:
                return person, answer

    def use_up(self, person: Person, *, number: int, calls: int) -> list[Answer]:
        """Answers to so many calls of one person by CALLERS threads."""

        def ask(count: int) -> list[Answer]:
            return [self.ask(person, number=number) for _ in range(count)]

        counts = [calls // CALLERS + (n < calls % CALLERS) for n in range(CALLERS)]
        answers = at_once([partial(ask, count) for count in counts])
        return [answer for of_one in answers for answer in of_one]

    def guess(self, person: Person, password: str, *, number: int, guesser: Person) -> Answer:
        """The answer to one guess on a connection of its own."""
        with Client(self.server.port, number=number, forges=True) as client:
            return guess(client, person, password, token=guesser.access)

    def assert_refused(self, answer: Answer, *, code: str = "RATE_LIMITED") -> None:
        """It is the 429 problem of `code`, and says how long to wait and what is left: nothing, or not yet."""
        self.assertEqual((answer.status, answer.code), (429, code))
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertRegex(answer.headers["ratelimit-policy"], r'^"\w+";q=\d+;w=900$')
        self.assertRegex(answer.headers["ratelimit"], r'^"\w+";r=\d+;t=\d+$')
