"""The harness is tested the same way wherever it runs."""

import pytest


@pytest.fixture(autouse=True)
def _no_choice_from_outside(monkeypatch):
    for name in ("TEST_SERVICES", "TEST_DATABASE_URL", "TEST_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
