"""A pytest plugin for `tests.run`: leaves out what a leg cannot prove, and counts what it proved.

`pytest -p tests.legs --leave-out=real --counts=FILE`. Without these options it does nothing.
"""

import json
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest

from tests.programs import PROGRAMS

LEFT_OUT = pytest.StashKey[int]()
# What takes a minute or more. Begun as the last, it would keep one process waiting for the other.
LONG_SECONDS = 600


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("legs")
    group.addoption("--leave-out", action="append", default=[], help="marker whose tests do not belong to this leg")
    group.addoption("--counts", default="", help="JSON file that receives the numbers of the closing lines")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> list[Any] | None:
    """Nothing is made of a module that is the other leg's as a whole: four tests in ten, on the real leg."""
    config = collector.config
    marks = {mark.name for mark in collector.own_markers} if isinstance(collector, pytest.Module) else set()
    # A test that was asked for by its name must be found, or pytest says that there is none.
    if not marks & set(config.getoption("--leave-out")) or any("::" in word for word in config.args):
        return None
    is_test = name.startswith("test") or (isinstance(obj, type) and issubclass(obj, TestCase))
    config.stash[LEFT_OUT] = config.stash.get(LEFT_OUT, 0) + is_test
    return []


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = config.getoption("--leave-out")
    left_out = {item for item in items if any(map(item.get_closest_marker, names))}
    config.stash[LEFT_OUT] = config.stash.get(LEFT_OUT, 0) + len(left_out)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = config.stash[LEFT_OUT]
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: not _takes_long(item))
    for program in PROGRAMS:
        # Skipped, not deselected: a promise that this machine cannot check must show in the closing lines.
        for item in () if program.is_here() else items:
            if item.get_closest_marker(program.marker):
                item.add_marker(pytest.mark.skip(reason=program.reason))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each worker of xdist collects every test; the controller hears of what they left out at their end."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def _takes_long(item: pytest.Item) -> bool:
    limit = item.get_closest_marker("timeout")
    return limit is not None and limit.args[0] >= LONG_SECONDS


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the numbers; under xdist only the controller has a terminal, and it has heard of every test."""
    if not config.getoption("--counts"):
        return
    heard = {outcome: len(reports) for outcome, reports in terminalreporter.stats.items()}
    skipped = terminalreporter.stats.get("skipped", [])
    counts = {
        "passed": heard.get("passed", 0) + heard.get("xpassed", 0),
        # A test that passed and whose tear-down broke is counted on both sides; the run is red either way.
        "failed": heard.get("failed", 0) + heard.get("error", 0),
        "skipped": heard.get("skipped", 0) + heard.get("xfailed", 0),
        "left_out": config.stash.get(LEFT_OUT, 0),
        "unproved": {
            program.marker: sum(program.reason in str(report.longrepr) for report in skipped) for program in PROGRAMS
        },
    }
    Path(config.getoption("--counts")).write_text(json.dumps(counts))
