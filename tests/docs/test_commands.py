"""Every shell command of the README and of `docs/*.md` does what the text around it says.

Each ```sh block is run as it stands, but for three things that the reader's machine decides: the interpreter, the data
folder and the port. `BLOCKS` says how each is run; a block that nobody runs is a failure.
"""

import re
import subprocess
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.docs.blocks import BLOCKS, START
from tests.docs.reader import Reader
from tests.koshflow.servers import ROOT

# What reads our own files, or starts installations of its own, finds the same on every store.
pytestmark = pytest.mark.embedded

DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fenced(language: str) -> Iterator[tuple[str, str, str]]:
    """(document, first line that is no comment, text) of each block in `language`."""
    for document in DOCUMENTS:
        for match in _BLOCK.finditer((ROOT / document).read_text()):
            if match[1] == language:
                lines = [line for line in match[2].splitlines() if line and not line.startswith("#")]
                yield document, lines[0], match[2]


def _options(parser: ArgumentParser) -> set[str]:
    """Those of `parser` and of the commands within it."""
    within = [
        each for action in parser._actions if isinstance(action.choices, dict) for each in action.choices.values()
    ]
    own = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    return own.union(*map(_options, within))


_OF_ALL = _options(BaseCommand().create_parser("manage.py", "any"))


@pytest.mark.timeout(900)  # a minute where nothing else runs
class Commands(TestCase):
    """A reader who pastes what the documents say gets what they say."""

    def test_each_block_in_order(self):
        with tempfile.TemporaryDirectory() as home:
            reader = Reader(Path(home))
            [start] = [text for document, first_line, text in fenced("sh") if (document, first_line) == START]
            with reader.serving(start) as launch:
                for document, first_line, text in fenced("sh"):
                    with self.subTest(f"{document}: {first_line}"):
                        BLOCKS[document, first_line](reader, text)
                self.assertTrue(launch.answers())

    def test_no_block_is_forgotten_and_none_is_made_up(self):
        self.assertEqual({(document, line) for document, line, _ in fenced("sh")}, set(BLOCKS))

    def test_commands_stand_in_no_other_kind_of_block(self):
        for language in ("bash", "shell", "console", "text", ""):
            for document, line, text in fenced(language):
                with self.subTest(f"{document}: {line}"):
                    self.assertNotRegex(text, r"(?m)^\s*(\$ |make |curl |.*manage\.py )")


class Names(TestCase):
    """Commands that the text names in passing exist."""

    def test_of_make(self):
        ended = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
        offered = set(re.findall(r"^make (\S+)", ended.stdout, re.MULTILINE))
        self.assertLessEqual({"run", "demo", "test", "e2e", "lint", "docs"}, offered)
        for document in DOCUMENTS:
            named = set(re.findall(r"`(?:[A-Z]+=\S+ )?make (\w+)", (ROOT / document).read_text()))
            self.assertLessEqual(named, offered, document)

    def test_of_manage(self):
        for document in DOCUMENTS:
            for name in re.findall(r"manage\.py (\w+)", (ROOT / document).read_text()):
                self.assertIn(name, get_commands(), document)

    def test_our_own_are_all_explained(self):
        ours = {name for name, app in get_commands().items() if app in ("accounts", "security", "monitoring")}
        table = (ROOT / "docs/operations.md").read_text().partition("## Our commands")[2]
        self.assertEqual(set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)), ours)
        for line, name in re.findall(r"^(\| `(\w+).* \| .* \|.*\|)$", table, re.MULTILINE):
            parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
            self.assertEqual(set(re.findall(r"--[a-z-]+", line)), _options(parser) - _OF_ALL, name)
