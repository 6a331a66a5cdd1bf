"""What every test may rely on: clean counters and windows, a cache of its own, no leftover context."""

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_process_state(settings):
    """Each test starts with empty caches and windows; xdist workers share one Redis by key prefix."""
    from django.core.cache import caches

    from accounts.sessions.authentication import signatures
    from security.audit.floods import windows
    from security.audit.unidentified import forget_known_subjects
    from security.breaker import breaker
    from security.limits.counting import local_counters

    signatures.clear()
    windows.forget()
    forget_known_subjects()
    breaker.succeeded()
    local_counters.clear()
    caches["default"].clear()
    caches["security"].clear()


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
