"""One witness for all tests of a process that ask for one: it takes a second to start, and may trust many logs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from security.tlog.witness import make_witness
from tests.security.tlog.witnesses import NAME, WitnessedLog, WitnessHost


@pytest.fixture(scope="session")
def witness() -> Iterator[None]:
    """A witness that serves and trusts nobody yet, as `host` of WitnessedLog."""
    with tempfile.TemporaryDirectory() as home:
        WitnessedLog.host = host = WitnessHost(Path(home))
        host.key = str(make_witness(host.folder, name=NAME))
        try:
            host.start()
            yield
        finally:
            host.stop()
