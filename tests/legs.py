"""A pytest plugin for `tests.run`: leaves out what a leg cannot prove, and counts what it proved.

`pytest -p tests.legs --leave-out=real --counts=FILE`. Without these options it does nothing.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.services import postgres_binaries

NEEDS_DEBIAN = "only Debian's PostgreSQL can prove it"
NEEDS_PROMTOOL = "only promtool can prove it (apt-get install prometheus)"
NEEDS_GO = "Go with Debian's golang-golang-x-mod-dev is not here"
GO_SOURCES = Path("/usr/share/gocode")
# What takes a minute or more. Begun as the last, it would keep one process waiting for the other.
LONG_SECONDS = 600


def has_go() -> bool:
    """Whether Go and the sources of its module golang.org/x/mod are here."""
    return shutil.which("go") is not None and (GO_SOURCES / "src" / "golang.org" / "x" / "mod").is_dir()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("legs")
    group.addoption("--leave-out", action="append", default=[], help="marker whose tests do not belong to this leg")
    group.addoption("--counts", default="", help="JSON file that receives the numbers of the closing lines")


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if any(map(item.get_closest_marker, config.getoption("--leave-out")))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    items.sort(key=lambda item: not _takes_long(item))
    binaries = postgres_binaries()
    missing = {
        "debian_postgres": (binaries is None or binaries.origin == "wheel", NEEDS_DEBIAN),
        "go": (not has_go(), NEEDS_GO),
        "promtool": (shutil.which("promtool") is None, NEEDS_PROMTOOL),
    }
    for marker, (is_missing, reason) in missing.items():
        # Skipped, not deselected: a promise that this machine cannot check must show in the closing lines.
        for item in items if is_missing else ():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


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
        "needs_debian": sum(NEEDS_DEBIAN in str(report.longrepr) for report in skipped),
        "needs_promtool": sum(NEEDS_PROMTOOL in str(report.longrepr) for report in skipped),
        "needs_go": sum(NEEDS_GO in str(report.longrepr) for report in skipped),
    }
    Path(config.getoption("--counts")).write_text(json.dumps(counts))
