"""What every test may rely on: clean counters and windows, a cache of its own, no leftover context."""

import gc
import os
import tempfile
import uuid
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no fault of what is tested: no bar on the time of one example (200 ms) or of making it. The same
# examples for the same code, so that a run is red for what changed; who looks for new ones gives --hypothesis-seed.
hypothesis.settings.register_profile(
    "koshflow",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("koshflow")

# A fifth of the collection went into looking for garbage among modules, which all stay.
gc.disable()

# One test of a minute, and modules with servers of their own that a fixture makes once a process.
_LONGEST = ("tests/docs/test_commands.py", "tests/faults/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: begun last, they would leave the other process without work."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end, and is not looked at again with each test's garbage. Nor is it now: a
    twentieth of the collection went into that."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _clean_process_state(settings):
    """Each test starts with empty caches and windows; xdist workers share one Redis by key prefix."""
    from django.core.cache import caches

    from accounts.sessions.signatures import access_tokens, refresh_tokens
    from security.audit.floods import windows
    from security.audit.unidentified import forget_known_subjects
    from security.breaker import breaker
    from security.limits.counting import local_counters
    from security.selectors.local import local
    from security.selectors.shared import shared

    # A signer remembers what it signed, and a test's events are gone after it.
    settings.AUDIT_SIGNER_DIR = Path(tempfile.gettempdir()) / f"audit-log-{uuid.uuid4().hex}"
    access_tokens.clear()
    refresh_tokens.clear()
    windows.forget()
    forget_known_subjects()
    breaker.succeeded()
    local_counters.clear()
    local.forget()
    shared.forget()
    caches["default"].clear()
    caches["security"].clear()


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_listed_once():
    """Each Client of a test makes the chain of middleware anew. WhiteNoise would look at 170 files for each, a tenth of
    what the tests of the API cost; in the product it does so once a process."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[tuple, dict] = {}

    def look_once(self) -> None:
        settings = (self.static_prefix, self.max_age, self.allow_all_origins)
        if settings not in found:
            look(self)
            found[settings] = dict(self.files)
        self.files.update(found[settings])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _hashes_of_plain_django_are_cheap():
    """A third of a second of CPU each at Django's million rounds, as many tests stand on some; ours are cheap by
    `BCRYPT_ROUNDS`."""
    from security.hashing import GuardedPBKDF2Hasher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedPBKDF2Hasher, "iterations", 1000)
        yield


@pytest.fixture(scope="session", autouse=True)
def _flush_may_empty_the_audit_log():
    """A TransactionTestCase empties the tables after itself, which their guards refuse to everybody else."""
    from django.db.backends.base.operations import BaseDatabaseOperations

    from security.trail import maintenance
    from security.trail.models import AuditChange

    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_as_maintenance(self, sql_list):
        with maintenance():
            flush(self, sql_list)
            if AuditChange._meta.db_table in self.connection.introspection.table_names():
                AuditChange.objects.using(self.connection.alias).all().delete()  # that the tables were emptied

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_as_maintenance)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_redis_database():
    """One Redis database for each xdist worker: clear() of one must not empty another's."""
    from django.conf import settings

    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    number = int(worker.removeprefix("gw")) + 1
    for options in settings.CACHES.values():
        location = options.get("LOCATION", "")
        if location.startswith("redis"):
            options["LOCATION"] = location.rsplit("/", 1)[0] + f"/{number}"
