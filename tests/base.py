"""The client of every API test, and the words in which tests state what they saw."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import time_machine
from django.db import connections
from django.test import Client, TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from accounts.identity.models import User
from security.audit.models import AuditEvent
from tests.factories import PASSWORD


class Clock:
    """The clock of a test: stands until moved."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def advance(self, *, seconds: float) -> None:
        self._traveller.shift(seconds)


class ApiMixin:
    """Speaks to the API as a client does, and asserts on what a client, an auditor or the database can see."""

    client: Client

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.client = Client(raise_request_exception=False)

    def stop_the_clock(self, at: str = "2026-11-24T06:00:00Z") -> Clock:
        traveller = time_machine.travel(at, tick=False)
        coordinates = traveller.start()
        self.addCleanup(traveller.stop)  # type: ignore[attr-defined]
        return Clock(coordinates)

    def post(self, path: str, body: Any = None, *, token: str = "", **extra: Any) -> Any:
        return self.send("post", path, body, token=token, **extra)

    def send(self, method: str, path: str, body: Any = None, *, token: str = "", **extra: Any) -> Any:
        headers = dict(extra.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        content_type = extra.pop("content_type", "application/json")
        with self.on_commit():
            return getattr(self.client, method)(path, data=data, content_type=content_type, headers=headers, **extra)

    def get(self, path: str, *, token: str = "", **extra: Any) -> Any:
        headers = dict(extra.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with self.on_commit():
            return self.client.get(path, headers=headers, **extra)

    def on_commit(self) -> Any:
        """What the request put off until its commit runs when the block ends."""
        return nullcontext()

    def log_in(self, person: User | str, password: str = PASSWORD, **extra: Any) -> Any:
        """Sign-in answer as a dict; asserts that it is one."""
        email = person if isinstance(person, str) else person.email
        response = self.post("/api/auth/login", {"email": email, "password": password}, **extra)
        self.assertEqual(response.status_code, 200, response.content)  # type: ignore[attr-defined]
        return response.json()

    def refresh(self, token: str) -> Any:
        return self.post("/api/auth/refresh", {"refreshToken": token})

    def me(self, token: str) -> Any:
        return self.get("/api/auth/me", token=token)

    def assertProblem(self, response: Any, status: int, code: str, *, field: str | None = None) -> dict[str, Any]:
        """`response` is the one refusal document with this status and code; returns it."""
        self.assertEqual(response.status_code, status, response.content)  # type: ignore[attr-defined]
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")  # type: ignore[attr-defined]
        document = response.json()
        self.assertEqual(document["code"], code, document)  # type: ignore[attr-defined]
        self.assertEqual(document["requestId"], response.headers["X-Request-ID"])  # type: ignore[attr-defined]
        if field is not None:
            fields = [entry["field"] for entry in document.get("details", [])]
            self.assertIn(field, fields, document)  # type: ignore[attr-defined]
        return document

    def audited(self, type_: str) -> list[AuditEvent]:
        """Events of this type, oldest first."""
        return list(AuditEvent.objects.filter(type=type_).order_by("pk"))

    def assertAudited(
        self, type_: str, *, times: int = 1, actor: User | None = None, target: User | None = None
    ) -> None:
        events = self.audited(type_)
        self.assertEqual(len(events), times, [e.type for e in AuditEvent.objects.all()])  # type: ignore[attr-defined]
        for event in events:
            if actor is not None:
                self.assertEqual(event.actor, actor.subject_id)  # type: ignore[attr-defined]
            if target is not None:
                self.assertEqual(event.target, target.subject_id)  # type: ignore[attr-defined]


class ApiTestCase(ApiMixin, TestCase):
    """Rolled back after each test; what a request does on commit runs when its answer is there."""

    def on_commit(self) -> Any:
        return self.captureOnCommitCallbacks(execute=True)


class MadeOnceTestCase(ApiTestCase):
    """What `make` sets on itself is made once for the tests of a class. Each has it as it was made: the rows, a copy of
    the folder `home` with the signer's in it, the cookies, and a clock that stands at that moment."""

    begins_at = "2026-11-24T06:00:00Z"
    clock: Clock
    home: Path

    @classmethod
    def setUpTestData(cls) -> None:
        maker = cls()  # no test: the words for what is done are those of an instance
        ApiMixin.setUp(maker)
        maker.settle(Path(cls.enterClassContext(tempfile.TemporaryDirectory())), cls.begins_at)
        before = set(vars(maker))
        try:
            maker.make()
            cls.made = (maker.home, timezone.now().isoformat(), maker.client.cookies)
        finally:
            maker.doCleanups()
        for name in set(vars(maker)) - before:
            setattr(cls, name, getattr(maker, name))

    def make(self) -> None:
        """What every test of a class begins with. What it signed in is signed in; its counts in a cache are gone."""

    def settle(self, home: Path, at: str) -> None:
        self.clock = self.stop_the_clock(at)
        self.home = home
        self.enterContext(override_settings(AUDIT_SIGNER_DIR=home / "signer"))

    def setUp(self) -> None:
        super().setUp()
        made_in, made_at, self.client.cookies = self.made
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.settle(shutil.copytree(made_in, home, dirs_exist_ok=True), made_at)


class CommittingApiTestCase(ApiMixin, TransactionTestCase):
    """For races and crashes: everything really commits, and several connections see it."""

    def in_parallel(self, times: int, act: Callable[[int], Any]) -> list[Any]:
        """Results of `times` threads that all start `act` at the same moment; their connections are closed."""
        barrier = threading.Barrier(times)

        def run(number: int) -> Any:
            barrier.wait(timeout=30)
            try:
                return act(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(run, range(times)))
