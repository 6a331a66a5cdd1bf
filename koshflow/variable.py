"""What a variable is. Which there are is `variables.py`."""

from dataclasses import dataclass
from typing import Any

REQUIRED: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable: how to read it (`kind` is an environs parser), what it is for, and its default.

    `default` is REQUIRED where production must say it; `relaxed` is the default of `local` and `test` then, and
    wherever it is given.
    `minimum` is the least length in characters of a secret.
    """

    name: str
    why: str
    kind: str = "str"
    default: Any = REQUIRED
    relaxed: Any = None
    example: str = ""
    secret: bool = False
    minimum: int = 0
    choices: tuple[str, ...] = ()
