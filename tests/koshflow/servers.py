"""Launches of the product as an operator makes them: a subprocess with an environment of its own."""

import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests import warm
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


def an_environment(folder: Path, **more: str) -> dict[str, str]:
    """What `make run` passes on a laptop: nothing but a folder and a port, and here a cheap hash."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return (
        plain
        | {
            "KOSHFLOW_DATA_DIR": str(folder),
            "PORT": str(free_port()),
            "BCRYPT_ROUNDS": "4",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        | more
    )


def without(package: str, folder: Path) -> dict[str, str]:
    """Environment of a Python that lacks `package`, as one whose site-packages somebody deleted in part.

    `folder` holds what hides it.
    """
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    return {"PYTHONPATH": str(folder)}


class Launch:
    """`python -m koshflow.launch` in the background; ends it when the block ends."""

    process: "warm.Process"

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        with log.open("wb") as stream:
            self.process = warm.start(["-m", "koshflow.launch"], environment, output=stream)

    def __enter__(self) -> "Launch":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def output(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> urllib.request.addinfourl:
        return urllib.request.urlopen(f"http://127.0.0.1:{self.environment['PORT']}{path}", timeout=10)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}: {self.output}")
        try:
            return self.get("/health/live").status == 200
        except OSError:
            return False

    def until_it_answers(self) -> "Launch":
        until(self.answers, what="the first 200")
        return self

    def until_it_says(self, text: str) -> None:
        until(lambda: text in self.output, what=f"{text!r} in {self.output!r}")

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)


def refusal(environment: Mapping[str, str], *module: str) -> tuple[int, list[str]]:
    """Exit code and lines of a launch (or another `module`) that is expected to end by itself."""
    ended = warm.python(["-m", *(module or ("koshflow.launch",))], environment)
    return ended.returncode, ended.stderr.splitlines()
