"""Reads the variables of `koshflow.variables`, and writes their template.

A value may come from the environment, from a file named by `NAME_FILE`, or from `.env` beside `manage.py`
(`.env` never overrides the environment). All mistakes are reported together, by name.
"""

from typing import Any

from environs import EnvError, FileAwareEnv

from koshflow.refusal import ConfigurationError
from koshflow.variable import REQUIRED, Variable
from koshflow.variables import GROUPS, ROOT, VARIABLES


def read_environment() -> dict[str, Any]:
    """Read every variable of the table.

    Raises ConfigurationError with one sentence per missing, malformed or too short value, all at once.
    """
    env = FileAwareEnv(strip_whitespace=True)
    env.read_env(str(ROOT / ".env"), recurse=False)
    relaxed = env.str("KOSHFLOW_ENV", "production") in ("local", "test")
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES.values():
        try:
            values[variable.name] = _read(env, variable, relaxed=relaxed)
        except (EnvError, ValueError) as error:
            problems.append(f"{variable.name}: {_sentence(error)} {variable.why}")
            continue
        problems += _objections(variable, values[variable.name])
    # No variable of its own: it says where KEYRING came from, for that file may change while we run.
    values["KEYRING_FILE"] = env.str("KEYRING_FILE", "")
    if problems:
        raise ConfigurationError(problems)
    return values


def _read(env: FileAwareEnv, variable: Variable, *, relaxed: bool) -> Any:
    parse = getattr(env, variable.kind)
    if relaxed and (variable.default is REQUIRED or variable.relaxed is not None):
        return parse(variable.name, variable.relaxed)
    if variable.default is REQUIRED:
        return parse(variable.name)
    return parse(variable.name, variable.default)


def _objections(variable: Variable, value: Any) -> list[str]:
    if variable.choices and value not in variable.choices:
        return [f"{variable.name}: must be one of {', '.join(variable.choices)}."]
    if variable.minimum and value and len(value) < variable.minimum:
        return [f"{variable.name}: is shorter than {variable.minimum} characters."]
    return []


def _sentence(error: Exception) -> str:
    text = str(error)
    if "not set" in text:
        return "is not set."
    # The library quotes the value it could not read; a secret must not reach a terminal or a log.
    return "cannot be read." if "must be a readable file" not in text else "names a file that cannot be read."


def template() -> str:
    """Text of `.env.example`, made from the table so that the two cannot drift."""
    lines = [
        "# A laptop needs no .env: `make run` has a default for everything. For a server copy this file so that nobody",
        "# else can read it (install -m 600 .env.example .env), and fill in. Any NAME may be given as NAME_FILE, the",
        "# path of a file that holds the value.",
        "# Made from koshflow/variables.py by `make docs`. Above each line stands what its value is:",
        "#   [default]            what holds without the line",
        "#   [example; else ...]  invented; without the line that holds",
        "#   [required]           production does not start without it; a value that stands there is an example",
    ]
    for title, group in GROUPS:
        lines += ["", f"## {title}"]
        for variable in group:
            if variable.default is REQUIRED:
                mark, line = "required", f"{variable.name}={variable.example}"
            else:
                default = _shown(variable.default)
                mark = f"example; else {default or 'none'}" if variable.example else "default"
                line = f"#{variable.name}={variable.example or default}"
            lines += [f"# [{mark}] {variable.why}", line]
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    if isinstance(default, list):
        return ",".join(default)
    if isinstance(default, bool):
        return str(int(default))
    return str(default).replace(f"{ROOT}/", "")
