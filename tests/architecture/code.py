"""Reads the tree's own imports, for the tests that hold its walls."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("koshflow", "accounts", "monitoring", "security")


@dataclass(frozen=True)
class Import:
    """One import: `module` named in `file` at `line`, inside a function or not."""

    file: Path
    line: int
    module: str
    names: tuple[str, ...]
    is_hidden: bool

    @property
    def importer(self) -> str:
        return ".".join(self.file.relative_to(ROOT).with_suffix("").parts)

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def modules(*apps: str) -> list[Path]:
    """Source files of `apps`, migrations left out."""
    return [
        path for app in apps or APPS for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts
    ]


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file, read once for all tests of a process."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file; those under `if TYPE_CHECKING` are for the type checker and are left out."""
    return tuple(_walk(path, parsed(path).body, is_hidden=False))


def _walk(path: Path, body: list[ast.stmt], *, is_hidden: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, (), is_hidden)
        elif isinstance(node, ast.ImportFrom):
            yield Import(path, node.lineno, node.module or "", tuple(a.name for a in node.names), is_hidden)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        else:
            hides = is_hidden or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for name in ("body", "orelse", "finalbody", "handlers"):
                for inner in getattr(node, name, []) or []:
                    yield from _walk(
                        path, inner.body if isinstance(inner, ast.ExceptHandler) else [inner], is_hidden=hides
                    )
