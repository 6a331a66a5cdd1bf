"""Every shell command of the README and of `docs/*.md` does what the text around it says.

Each ```sh block is run as it stands, but for three things that the reader's machine decides: the interpreter, the data
folder and the port. `BLOCKS` says how each is run; a block that nobody runs is a failure.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import TestCase

import pytest
from django.core.management import get_commands

from tests.koshflow.servers import ROOT, Launch, an_environment

DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS = 120
# curl tells the status of each answer beside it, without a word of the pasted commands changed.
_CURLRC = 'write-out = "%{stderr}%{http_code} %{method}\\n"\n'


def fenced(language: str) -> Iterator[tuple[str, str, str]]:
    """(document, first line that is no comment, text) of each block in `language`."""
    for document in DOCUMENTS:
        for match in _BLOCK.finditer((ROOT / document).read_text()):
            if match[1] == language:
                lines = [line for line in match[2].splitlines() if line and not line.startswith("#")]
                yield document, lines[0], match[2]


class Reader:
    """Somebody at a terminal in the repository, whose server runs on a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "var"
        self.environment = an_environment(self.folder, CURL_HOME=str(home))
        (home / ".curlrc").write_text(_CURLRC)
        (home / "etc").mkdir()

    def here(self, text: str) -> str:
        """`text` for this machine."""
        text = text.replace(".venv/bin/python", sys.executable).replace("var/mail", f"{self.folder}/mail")
        return text.replace("/etc/koshflow", f"{self.home}/etc").replace(
            "http://127.0.0.1:8000", f"http://127.0.0.1:{self.environment['PORT']}"
        )

    def paste(self, text: str, *, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        """`text` in bash, line after line; raises AssertionError where it ends with another code."""
        ended = subprocess.run(
            ["bash", "-e"],
            input=self.here(text),
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert ended.returncode == code, (ended.returncode, ended.stdout, ended.stderr)
        return ended

    @contextmanager
    def serving(self, text: str, **environment: str) -> Iterator[Launch]:
        """The server that `text` starts in the foreground, once it answers; ended as Ctrl+C does."""
        launch = _Pasted(self.here(text), self.environment | environment, self.home / "pasted.log")
        try:
            yield launch.until_it_answers()
        finally:
            os.killpg(launch.process.pid, signal.SIGINT)
            launch.process.wait(60)


class _Pasted(Launch):
    """A launch by other words."""

    def __init__(self, text: str, environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                ["bash", "-c", text],
                cwd=ROOT,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def runs(*said: str) -> Callable[[Reader, str], None]:
    """The block ends with 0 and says each of `said`, regular expressions."""

    def run(reader: Reader, text: str) -> None:
        ended = reader.paste(text)
        for words in said:
            assert re.search(words, ended.stdout), (words, ended.stdout)

    return run


def answers(*expected: str) -> Callable[[Reader, str], None]:
    """The block's calls of curl are answered with these statuses and methods."""

    def run(reader: Reader, text: str) -> None:
        assert reader.paste(text).stderr.split("\n")[:-1] == list(expected)

    return run


def journey(reader: Reader, text: str) -> None:
    ended = reader.paste(text)
    statuses = ["201 POST", "200 POST", "200 GET", "200 POST", "200 POST", "401 GET"]
    assert ended.stderr.splitlines() == statuses, ended.stderr
    documents = list(json_documents(ended.stdout))
    assert documents[1]["user"]["email"] == "asha@lotus.example.in"
    assert documents[-1]["code"] == "TOKEN_REVOKED"


def json_documents(text: str) -> Iterator[dict]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        yield document


def serves_alone(reader: Reader, text: str) -> None:
    """On a folder and a port of its own: the reader's server goes on."""
    with tempfile.TemporaryDirectory() as home:
        other = Reader(Path(home))
        with other.serving(text) as launch:
            assert "shown this once" in launch.output


def fills_in_the_demonstration(reader: Reader, text: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        other = Reader(Path(home))
        with other.serving(text) as launch:
            password = re.search(r"the same in every demonstration: (\S+)", launch.output)[1]
            body = json.dumps({"email": "asha@kaveri.example.in", "password": password})
            other.paste(
                f"curl -sSf http://127.0.0.1:8000/api/auth/login -H 'Content-Type: application/json' -d '{body}'"
            )
        with other.serving(text) as launch:
            assert "there already; nothing was added" in launch.output
            assert password not in launch.output


def is_understood(reader: Reader, text: str) -> None:
    """make knows what it would do; doing it would run this very test again."""
    assert "tests/run.py" in reader.paste(f"make --dry-run {text.strip().removeprefix('make ')}").stdout


def makes_keys(reader: Reader, text: str) -> None:
    """As on a server on which nothing is yet."""
    nothing = {"KOSHFLOW_DATA_DIR": str(reader.home / "nothing")}
    reader.paste(text, **nothing)
    made = sorted((reader.home / "etc").iterdir())
    assert [path.name for path in made] == ["keyring.json", "secret_key"]
    assert [path.stat().st_mode & 0o077 for path in made] == [0, 0]
    assert len(made[1].read_text().strip()) >= 50
    with pytest.raises(AssertionError, match="a key ring is never replaced"):
        reader.paste(text, **nothing)


def released(reader: Reader, text: str) -> None:
    """Under local's settings: production's database must be reached by TLS, which a laptop has none of."""
    ended = reader.paste(text, KOSHFLOW_ENV="local")
    assert "Administrator omar@example.in created" in ended.stdout


def gunicorn_serves(reader: Reader, text: str) -> None:
    """Likewise, on what `make run` made elsewhere."""
    with tempfile.TemporaryDirectory() as home:
        other = Reader(Path(home))
        with other.serving("make run"):
            pass
        with other.serving(text, KOSHFLOW_ENV="local"):
            pass


def worker_wants_postgresql(reader: Reader, text: str) -> None:
    """What it does there, `tests/koshflow/test_worker.py` shows."""
    assert "the worker needs PostgreSQL" in reader.paste(text, code=78, KOSHFLOW_ENV="local").stderr


_MANAGE = "KOSHFLOW_ENV=local .venv/bin/python manage.py "
# In this order, on one installation: each block may build upon those before it.
BLOCKS: dict[tuple[str, str], Callable[[Reader, str], None]] = {
    ("README.md", "make run"): serves_alone,
    ("README.md", "make demo"): fills_in_the_demonstration,
    ("README.md", "make test"): is_understood,
    ("README.md", "BASE=http://127.0.0.1:8000"): journey,
    (
        "docs/operations.md",
        _MANAGE + "staff_create --email admin@localhost --name 'First Administrator' --role Administrator",
    ): runs("Administrator admin@localhost created; password, shown this once: K"),
    ("docs/operations.md", "BASE=http://127.0.0.1:8000"): answers("202 POST", "200 POST"),
    ("docs/operations.md", _MANAGE + "account_recover --email admin@localhost --dry-run"): runs(
        "^dry run, nothing was changed; admin@localhost", r"\nadmin@localhost: no second factor was on"
    ),
    ("docs/operations.md", _MANAGE + "axes_reset_username admin@localhost"): runs("attempts"),
    ("docs/operations.md", "make .venv/.runtime"): makes_keys,
    ("docs/operations.md", ".venv/bin/python manage.py check --deploy"): released,
    ("docs/operations.md", ".venv/bin/python -m gunicorn -c python:koshflow.gunicorn_conf koshflow.wsgi"): (
        gunicorn_serves
    ),
    ("docs/operations.md", ".venv/bin/python -m koshflow.worker"): worker_wants_postgresql,
    ("docs/operations.md", "curl -sS http://127.0.0.1:8000/health/live"): answers("200 GET", "200 GET"),
    ("docs/operations.md", _MANAGE + 'shell -v 0 -c "'): runs("'sent': 2"),
}


@pytest.mark.embedded
@pytest.mark.timeout(400)
class Commands(TestCase):
    """A reader who pastes what the documents say gets what they say."""

    def test_each_block_in_order(self):
        with tempfile.TemporaryDirectory() as home:
            reader = Reader(Path(home))
            with Launch(reader.environment, reader.home / "log") as launch:
                launch.until_it_answers()
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
