"""Where the fault runs happen: stores of their own that may be killed, people in them, the product before them."""

import copy
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import TestCase

import psycopg
import pytest

from tests import services, warm
from tests.performance.servers import Project, product
from tests.server import START_SECONDS, Server
from tests.waiting import until

PEOPLE = 280
WORKERS = 2
# bcrypt at its least: killing every 0.4 s against a hash of one second would complete no sign-in.
BCRYPT_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a session and a password."""

    access: str
    refresh: str
    email: str
    password: str


class Stand:
    """A project on stores of its own, and the people in it."""

    workers = WORKERS

    def __init__(self, folder: Path, *, database_url: str, redis_url: str, people: int) -> None:
        self.project = product(
            database_url=database_url, redis_url=redis_url, folder=folder, bcrypt_rounds=BCRYPT_ROUNDS
        )
        self.project.environment["WEB_WORKERS"] = str(self.workers)
        seeded = self.project.migrate_and_seed("tests.performance.seed", sessions=people + 1, filler=0)
        pairs = zip(seeded["sessions"], seeded["logins"], strict=True)
        self._people = iter([Person(**session, **login) for session, login in pairs])

    def people(self, count: int) -> list[Person]:
        """People nobody else has used."""
        return [next(self._people) for _ in range(count)]

    @cached_property
    def bystanders(self) -> list[Person]:
        """Fifty with whose sessions any test may make a few calls, and whose own limits none looks at."""
        return self.people(50)

    def with_environment(self, **variables: str) -> Project:
        """The project with other values of some variables."""
        project = copy.copy(self.project)
        project.environment = self.project.environment | variables
        return project

    def mailing_to(self, port: int) -> Project:
        """The project with its mail relay at `port` of loopback."""
        return self.with_environment(EMAIL_URL=f"smtp://127.0.0.1:{port}")


class RealStand(Stand):
    """On PostgreSQL that keeps each commit through `kill`, and Redis; two workers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(services.postgres(durable=True, private=True))
        self.redis = stack.enter_context(services.redis(private=True))
        super().__init__(folder, database_url=self.postgres.url, redis_url=self.redis.url, people=PEOPLE)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows straight from PostgreSQL."""
        with psycopg.connect(self.postgres.url, connect_timeout=5) as connection:
            return connection.execute(statement, values).fetchall()


class EmbeddedStand(Stand):
    """On SQLite and the cache in the process: one worker with eight threads."""

    workers = 1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, database_url="", redis_url="", people=120)
        self.database = folder / "koshflow.sqlite3"


class FaultCase(TestCase):
    """Tests with servers of their own, so that no fault outlives its test."""

    stand: Stand

    def serve(self, project: Project | None = None, *arguments: str, is_for_class: bool = False) -> Server:
        """A fresh gunicorn with all its workers, ended with the test or its class; `arguments` are its options."""
        project = project or self.stand.project
        later = self.addClassCleanup if is_for_class else self.addCleanup
        server = Server(
            "--config",
            "python:koshflow.gunicorn_conf",
            *arguments,
            "koshflow.wsgi",
            folder=project.folder,
            environment=project.environment,
            probe="/health/live",
            is_warm=True,
        )
        # Run in reverse: the log is whole once the server has ended. pytest shows it where the test failed.
        later(show_errors, server)
        later(server.stop)
        # It answers as soon as the first of its workers does.
        workers = int(project.environment["WEB_WORKERS"])
        until(lambda: len(server.workers) == workers, seconds=START_SECONDS, what="all workers")
        return server

    def start_worker(self, project: Project) -> warm.Process:
        """A worker of the schedule, which leads a group of its own; ended with the test."""
        worker = warm.start(["-m", "koshflow.worker"], project.environment, output=subprocess.DEVNULL)
        self.addCleanup(worker.wait, 30)
        self.addCleanup(worker.terminate)
        return worker


class RealCase(FaultCase):
    """With PostgreSQL and Redis, which run again after the test."""

    stand: RealStand

    @pytest.fixture(autouse=True)
    def _take_the_stand(self, real_stand: RealStand) -> None:
        self.stand = real_stand

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.stand.redis.start)  # nothing where it runs
        self.addCleanup(self.stand.postgres.start)


class EmbeddedCase(FaultCase):
    """With SQLite."""

    stand: EmbeddedStand

    @pytest.fixture(autouse=True)
    def _take_the_stand(self, embedded_stand: EmbeddedStand) -> None:
        self.stand = embedded_stand


def show_errors(server: Server) -> None:
    """Print the last few lines of a server's log that are errors of the product."""
    for line in [line for line in server.log.read_text(errors="replace").splitlines() if '"level":"ERROR"' in line][
        -3:
    ]:
        print(line)
