"""Queries and operators in every parameter of every operation: no query takes them in, no document lets them pass."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.login.services import sign_in
from accounts.twofactor.models import TotpDevice
from accounts.twofactor.totp import new_secret
from koshflow.openapi.examples import EXAMPLES
from security.audit.unidentified import ensure_unidentified_subject
from tests.accounts.admin.door import LOGIN as ADMIN_LOGIN
from tests.accounts.admin.door import AdminTestCase
from tests.base import ApiTestCase
from tests.contract.walk.operations import AN_ID, Operation, operations
from tests.factories import asha
from tests.faults.form import LONG, TIMEOUT_SECONDS, sized
from tests.security.screening.vectors import ATTACKS

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

LINES = [text for kind, text in ATTACKS if kind == "sql"]
# What would make the database wait, or work, if it ran.
SLOW = [text for text in LINES if any(word in text.lower() for word in ("sleep", "waitfor", "benchmark", "randomblob"))]
# For each parameter in the short form, of SLOW and of the others; in turn, so that all parameters together get the
# whole corpus, which in the long form each of them gets.
LINES_EACH = (2, 3)
OPERATORS: tuple[Any, ...] = (
    {"$gt": ""},
    {"$ne": None},
    {"$regex": ".*"},
    {"$where": "sleep(5000)"},
    {"a": {"$in": ["x"]}},
    [{"$gt": ""}],
    {"a.b": 1},
)
OBJECTS: tuple[Any, ...] = ({"a": 1}, {}, ["x"], [[]], {"__proto__": {"x": 1}})
NAMES = ("${}", "{}.$ne", "{}.a", "$where", "a.b")


@contextmanager
def undone() -> Iterator[None]:
    """What is done within the block did not happen after it: the next request finds the same people."""
    block = transaction.atomic()
    block._from_testcase = True  # as TestCase's own: services insist on being the outermost block
    with block:
        yield
        transaction.set_rollback(True)


class Recorder:
    """Every statement of the connection: its text as it was written, and the values that travelled beside it."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []
        self.errors: list[BaseException] = []

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.statements.append((str(sql), params))
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            self.errors.append(error)
            raise

    def writes(self) -> list[str]:
        """Statements that change a table."""
        return [sql for sql, _ in self.statements if re.search(r'\b(INSERT INTO|UPDATE "|DELETE FROM)', sql)]

    def bound(self, text: str) -> bool:
        """Whether `text` travelled as a value or as a part of one, in small letters or with the escapes of LIKE."""
        values = (str(value).lower() for _, params in self.statements for value in params or ())
        return any(text.lower() in value.replace("\\", "") for value in values)


class Harmless:
    """The words in which cases say that a text did nothing."""

    def assertHarmless(self, response: Any, recorder: Recorder, text: str) -> None:
        """Nothing failed, and no statement was written with `text` in it."""
        self.assertLess(response.status_code, 500, response.content)
        self.assertEqual(recorder.errors, [])
        words = text.lower().strip()
        for sql, _ in recorder.statements:
            self.assertFalse(len(words) > 4 and words in sql.lower(), sql)
            self.assertNotRegex(sql.lower(), r"sleep|waitfor|benchmark|randomblob|union|information_schema")


class InjectionCase(Harmless, ApiTestCase):
    """Asha is signed in; her second factor is off, on or half-way, as each operation needs it to get furthest."""

    def setUp(self):
        super().setUp()
        ensure_unidentified_subject(at=timezone.now())
        self.person = asha(email=EXAMPLES["login"]["email"])
        self.token = sign_in(user=self.person, amr="pwd").tokens.access
        self.operations = [
            replace(one, body={**one.body, "adminEmail": "asha@rose.example.in"}) if one.name == "register" else one
            for one in operations()
        ]

    def on_commit(self):
        # Nothing commits: what would run then (a mark in Redis that a session ended) must not outlive the request.
        return nullcontext()

    def ask(self, operation: Operation, *, query="", an_id=AN_ID, body=None) -> tuple[Any, Recorder]:
        """The answer, and all that it cost the database. Nothing of it stays."""
        recorder, token = Recorder(), "" if operation.is_open else self.token
        with undone():
            if operation.name.startswith("two_factor_") and operation.name != "two_factor_setup":
                self.give_device(confirmed=operation.name != "two_factor_verify")
            with connection.execute_wrapper(recorder):
                path = operation.address(an_id) + (f"?{query}" if query else "")
                sent = operation.body if body is None else body
                response = self.send(operation.method, path, sent, token=token)
        return response, recorder

    def give_device(self, *, confirmed: bool) -> None:
        now = timezone.now()
        device = TotpDevice(user=self.person, secret=new_secret(), created_at=now, confirmed=confirmed)
        device.confirmed_at = now if confirmed else None
        device.save(force_insert=True)


class SqlInParameters(InjectionCase):
    """A query in any parameter is a value like any other: bound, or refused; nothing fails and nothing waits.

    Time is not measured: a statement whose text does not change with what was sent cannot wait for it.
    """

    def setUp(self):
        super().setUp()
        chance = random.Random(4711)
        self.kinds = [SLOW, [line for line in LINES if line not in SLOW]]
        self.turns = [cycle(chance.sample(lines, len(lines))) for lines in self.kinds]
        self.sent: set[str] = set()

    def lines(self) -> Iterator[str]:
        """What the next parameter gets."""
        for turn, lines, few in zip(self.turns, self.kinds, LINES_EACH, strict=True):
            yield from islice(turn, sized(few, len(lines)))

    def try_all(self, operation: Operation, place: str, requests: Any) -> bool:
        """Send each line by `requests(line)`; whether any slow one reached the database as a value."""
        reached = False
        for line in self.lines():
            with self.subTest(f"{operation.name} {place}", line=line):
                response, recorder = self.ask(operation, **requests(line))
                self.assertHarmless(response, recorder, line)
                self.sent.add(line)
                reached |= line in SLOW and recorder.bound(line)
        return reached

    def test_in_every_member_of_every_body(self):
        reached = set()
        for operation in self.operations:
            for member in operation.members:

                def with_it(line, operation=operation, member=member):
                    return {"body": {**operation.body, member: line}}

                if self.try_all(operation, member, with_it):
                    reached.add(f"{operation.name}.{member}")
        self.assertEqual(self.sent, set(LINES))
        self.assertGreaterEqual(len(self.sent), 100)
        # So that this is no test of doors that were shut: these take what was sent to the database.
        wanted = {"login.email", "me_update.name", "company_update.name", "register.adminName", "register.companyName"}
        self.assertLessEqual(wanted, reached)

    def test_in_every_parameter_of_every_query_and_path(self):
        for operation in self.operations:
            for parameter in operation.query:
                self.try_all(operation, parameter, lambda line, name=parameter: {"query": f"{name}={quote(line)}"})
            if "{" in operation.path:
                self.try_all(operation, "path", lambda line: {"an_id": line})
                self.try_all(operation, "path", lambda line: {"an_id": AN_ID + line})


class SqlInTheAdmin(Harmless, AdminTestCase):
    """What staff search, sort and filter by, and what is typed at their door, is bound or refused as well."""

    def ask(self, line: str, request: Any) -> Recorder:
        recorder = Recorder()
        with connection.execute_wrapper(recorder):
            response = request()
        self.assertHarmless(response, recorder, line)
        return recorder

    def test_in_every_parameter_of_its_lists(self):
        self.enter()
        names = ("q", "o", "p", "role__exact", "is_active__exact", "second_factor", "no_such__lookup")
        doors = [(f"/admin/accounts/{model}/", name) for model in ("user", "company", "session") for name in names]
        turn = cycle(SLOW)
        for page, name in doors:
            for line in LINES if LONG else islice(turn, 1):
                with self.subTest(page, name=name, line=line):
                    recorder = self.ask(line, partial(self.client.get, page, {name: line}))
                    # The words of a search are sought one by one, and one in quotes without them.
                    if name == "q" and line in SLOW and not set(' "\n') & set(line):
                        self.assertTrue(recorder.bound(line), line)
        for line in LINES if LONG else SLOW[:2]:
            with self.subTest("path", line=line):
                self.ask(line, partial(self.client.get, f"/admin/accounts/user/{quote(line)}/change/"))

    def test_at_its_door(self):
        for line in LINES if LONG else SLOW:
            with self.subTest(line):
                form = {"email": line, "password": line, "next": line}
                self.ask(line, partial(self.client.post, ADMIN_LOGIN, form))


class OperatorsInBodies(InjectionCase):
    """An object where a text belongs, an operator or a path in a name: refused by name, and nothing is written."""

    def assertRefused(self, operation: Operation, body: Any, *, field: str) -> None:
        with self.subTest(f"{operation.name}", body=str(body)[-120:]):
            response, recorder = self.ask(operation, body=body)
            document = self.assertProblem(response, 400, "VALIDATION_FAILED")
            named = [entry["field"] for entry in document["details"]]
            # An operator ends the reading at once and alone; a wrong type is told of among others.
            self.assertIn(field, named, document)
            # The event that tells of the attack is all that stays.
            of_audit = ('"audit_event"', '"audit_pii"')
            self.assertEqual([sql for sql in recorder.writes() if not any(table in sql for table in of_audit)], [])

    def cases(self, wrong: tuple[Any, ...]) -> Iterator[tuple[Operation, str, Any]]:
        """Each member of each body with two of `wrong`, in turn; with all of them in the long form."""
        turn = cycle(wrong)
        for operation in self.operations:
            for member in operation.members:
                for one in islice(turn, sized(2, len(wrong))):
                    yield operation, member, one

    def test_an_operator_in_the_place_of_a_value(self):
        for operation, member, wrong in self.cases(OPERATORS):
            path = ".".join((member, *_path_into(wrong)))
            self.assertRefused(operation, {**operation.body, member: wrong}, field=path)

    def test_an_object_or_a_list_in_the_place_of_a_value(self):
        for operation, member, wrong in self.cases(OBJECTS):
            self.assertRefused(operation, {**operation.body, member: wrong}, field=member)

    def test_an_operator_or_a_path_in_the_place_of_a_name(self):
        for operation, member, form in self.cases(NAMES):
            name = form.format(member)
            self.assertRefused(operation, {**operation.body, name: "x"}, field=name)

    def test_each_body_as_it_is_was_taken_for_one(self):
        """The neighbour: the same bodies without the operator are not refused for their form."""
        for operation in self.operations:
            if operation.members:
                with self.subTest(operation.name):
                    response, _ = self.ask(operation)
                    self.assertNotIn(b"VALIDATION_FAILED", response.content)
        self.assertEqual(User.objects.count(), 1)


def _path_into(wrong: Any) -> Iterator[str]:
    """The steps to the first name that holds an operator or a dot."""
    while isinstance(wrong, dict | list):
        step, wrong = (0, wrong[0]) if isinstance(wrong, list) else next(iter(wrong.items()))
        yield str(step)
        if "$" in str(step) or "." in str(step):
            return
