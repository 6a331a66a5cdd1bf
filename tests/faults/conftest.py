"""The stands are made once a process: databases and people take longer than most faults."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.stand import EmbeddedStand, RealStand


@pytest.fixture(scope="session")
def real_stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStand]:
    with ExitStack() as stack:
        yield RealStand(tmp_path_factory.mktemp("faults") / "real", stack)


@pytest.fixture(scope="session")
def embedded_stand(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStand:
    return EmbeddedStand(tmp_path_factory.mktemp("faults") / "embedded")
