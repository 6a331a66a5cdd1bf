"""Reads the texts of `tests/vectors`: what honest people write, and what attackers do."""

from tests.architecture.code import ROOT

FOLDER = ROOT / "tests" / "vectors"
# The four signs that stand for what a line of a file cannot hold.
_SIGNS = str.maketrans({"␊": "\n", "␍": "\r", "␛": "\x1b", "␀": "\0"})


def texts(name: str) -> list[tuple[str, str]]:
    """(heading, text) of each line; lines that begin with "## " are remarks, "## = " begins a heading."""
    found, heading = [], ""
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("## = "):
            heading = line.removeprefix("## = ")
        elif line and not line.startswith("## "):
            found.append((heading, line.translate(_SIGNS)))
    return found


BENIGN = texts("benign")
ATTACKS = texts("attacks")
