"""The SQL that runbooks tell you to type."""

import re

from tests.architecture.code import ROOT

FOLDER = ROOT / "docs" / "runbooks"
_QUESTION = re.compile(r"`(SELECT [^`]+ FROM [^`]+)`")
_BLOCK = re.compile(r"```sql\n(.*?)```", re.DOTALL)


def questions() -> list[tuple[str, str]]:
    """(rule, SELECT) of every question in a sentence."""
    texts = ((path.stem, " ".join(path.read_text().split())) for path in sorted(FOLDER.glob("*.md")))
    return [(rule, found) for rule, text in texts for found in _QUESTION.findall(text)]


def statements(rule: str) -> list[str]:
    """Each statement of the one block in the runbook of `rule`."""
    [block] = _BLOCK.findall((FOLDER / f"{rule}.md").read_text())
    return [statement for statement in block.split(";") if statement.strip()]
