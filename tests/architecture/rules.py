"""Calls and comparisons that our code does not make, each with its reason, found in the syntax tree.

A linter knows most of them in general; these know our exceptions by name, and why each is one.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from tests.architecture.allowed import ALLOWED
from tests.architecture.code import ROOT, modules, parsed

_SECRET_WORDS = {"token", "secret", "digest", "mac", "hmac", "signature", "password", "hash", "tag"}
_BARE = {"bytes", "str", "memoryview", "bytearray"}  # what is compared is what stands inside


@dataclass(frozen=True)
class Rule:
    """`find` yields the nodes of a module that break it; `allowed` maps `path::function` to why it may."""

    name: str
    reason: str
    find: Callable[[ast.AST], Iterator[ast.AST]]
    allowed: dict[str, str]


@dataclass(frozen=True)
class Breach:
    """A place where a rule is broken. `place` is `path::function`, or `path::` outside of any."""

    rule: str
    place: str
    line: int

    def __str__(self) -> str:
        return f"{self.place} line {self.line}: {self.rule}"


def breaches(source: str | ast.Module, path: str, *rules: Rule) -> list[Breach]:
    """Where `source` breaks one of `rules`, allowed or not."""
    found = []
    pending: list[tuple[ast.AST, str]] = [(ast.parse(source) if isinstance(source, str) else source, "")]
    while pending:
        node, owner = pending.pop()
        for rule in rules:
            found += [Breach(rule.name, f"{path}::{owner}", getattr(one, "lineno", 0)) for one in rule.find(node)][:1]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            owner = f"{owner}.{node.name}" if owner else node.name
        # A third of all nodes say that a name is read.
        pending += [(child, owner) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.Load)]
    return found


@cache
def breaches_of_the_tree() -> tuple[Breach, ...]:
    """Where our modules break a rule, allowed or not."""
    files = ((file, file.relative_to(ROOT).as_posix()) for file in modules())
    return tuple(breach for file, path in files for breach in breaches(parsed(file), path, *RULES))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; of a call, that of what is called; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return dotted(node.func) if isinstance(node, ast.Call) else ""


def _is_call(node: ast.AST, *names: str) -> bool:
    """Whether `node` calls one of `names`, given as the last word or the last two of the dotted name."""
    if not isinstance(node, ast.Call):
        return False
    full = dotted(node.func)
    return any(full == name or full.endswith(f".{name}") for name in names)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _imports(node: ast.AST, *modules: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in _imported(node) for module in modules)


def _keywords(node: ast.Call) -> set[str]:
    return {keyword.arg or "**" for keyword in node.keywords}


def _raw_sql(node: ast.AST) -> Iterator[ast.AST]:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if is_call and node.func.attr in {"execute", "executemany", "executescript", "raw", "extra"}:
        yield node
    if _is_call(node, "RawSQL"):
        yield node


def _assembled_sql(node: ast.AST) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name)):
        return
    if dotted(node.func).split(".")[-1] not in {"execute", "executemany", "executescript", "raw", "extra", "RawSQL"}:
        return
    text = node.args[0]
    if isinstance(text, ast.JoinedStr | ast.BinOp) or _is_call(text, "format", "join"):
        yield node


def _marked_safe(node: ast.AST) -> Iterator[ast.AST]:
    if _is_call(node, "mark_safe", "SafeString", "SafeText", "SafeData"):
        yield node
    if isinstance(node, ast.FunctionDef) and any(
        dotted(one) in {"mark_safe", "html_safe"} for one in node.decorator_list
    ):
        yield node
    for name, position in (("format_html", 0), ("format_html_join", 1)):
        if _is_call(node, name):
            given = node.args[position : position + 1]
            if not (given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str)):
                yield node


def _is_secret(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and dotted(node.func) in _BARE and node.args:
        return _is_secret(node.args[0])
    if isinstance(node, ast.Subscript):
        key = node.slice
        return isinstance(key, ast.Constant) and isinstance(key.value, str) and _names_secret(key.value)
    return _names_secret(dotted(node).split(".")[-1])


def _names_secret(name: str) -> bool:
    # A name in capitals is a word of the program's own, the same in every copy of it.
    return not name.isupper() and name.lower().rsplit("_", 1)[-1] in _SECRET_WORDS


def _compared_secret(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Compare) or not any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
        return
    sides = [node.left, *node.comparators]
    # Against a literal nothing is guessed: it asks whether there is one, or of which kind.
    if any(isinstance(side, ast.Constant) for side in sides):
        return
    if any(_is_secret(side) for side in sides):
        yield node


def _unpickled(node: ast.AST) -> Iterator[ast.AST]:
    if _imports(node, "pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"):
        yield node


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    is_builtin = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    if is_builtin and node.func.id in {"eval", "exec", "compile", "__import__"}:
        yield node


def _naive_time(node: ast.AST) -> Iterator[ast.AST]:
    if _is_call(node, "utcnow", "utcfromtimestamp", "datetime.today", "date.today", "date.fromtimestamp"):
        yield node
    for name, least in (("datetime.now", 1), ("datetime.fromtimestamp", 2)):
        if _is_call(node, name) and len(node.args) < least and not _keywords(node) & {"tz", "**"}:
            yield node


# What waits for another machine → the position of its timeout.
_WAITING = {
    "urlopen": 2,
    "HTTPConnection": 2,
    "HTTPSConnection": 4,
    "smtplib.SMTP": 3,
    "smtplib.SMTP_SSL": 5,
    "socket.create_connection": 1,
    "requests.get": 99,
    "requests.post": 99,
    "requests.request": 99,
    "httpx.get": 99,
    "httpx.post": 99,
    "httpx.Client": 99,
}


def _endless_wait(node: ast.AST) -> Iterator[ast.AST]:
    for name, position in _WAITING.items():
        if _is_call(node, name):
            given = next((keyword.value for keyword in node.keywords if keyword.arg == "timeout"), None)
            if given is None and len(node.args) > position:
                given = node.args[position]
            if given is None or (isinstance(given, ast.Constant) and given.value is None):
                yield node


def _shell(node: ast.AST) -> Iterator[ast.AST]:
    if _is_call(node, "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"):
        yield node
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "shell" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield node


def _guessable(node: ast.AST) -> Iterator[ast.AST]:
    if _imports(node, "random"):
        yield node


def _weak_digest(node: ast.AST) -> Iterator[ast.AST]:
    if _is_call(node, "hashlib.md5", "hashlib.sha1", "hashlib.new", "md5", "sha1", "MD5", "SHA1"):
        yield node


def _asserted(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Assert):
        yield node


_REASONS: tuple[tuple[str, str, Callable[[ast.AST], Iterator[ast.AST]]], ...] = (
    ("raw SQL", "The ORM binds every value; a statement by hand is read twice, in places named here.", _raw_sql),
    ("assembled SQL", "A statement put together from text is where an injection begins.", _assembled_sql),
    (
        "text marked safe",
        "It is not escaped; format_html escapes its arguments, if its form is a literal.",
        _marked_safe,
    ),
    ("compared secret", "== ends at the first difference, and its time tells where: compare_digest.", _compared_secret),
    ("pickle", "Reading one runs what its writer chose.", _unpickled),
    ("evaluated text", "Text that runs is an attacker's text one day.", _evaluated),
    ("naive time", "A time without its zone is another time on another machine.", _naive_time),
    ("endless wait", "A silent peer would hold one of our threads for ever.", _endless_wait),
    ("shell", "A shell reads file names and arguments as its own language.", _shell),
    ("guessable chance", "The random module can be predicted from what it gave: secrets, or os.urandom.", _guessable),
    ("weak digest", "MD5 and SHA-1 collide; what they signed can be exchanged.", _weak_digest),
    ("assert", "python -O removes it, and with it whatever it guarded.", _asserted),
)
RULES = tuple(Rule(name, reason, find, ALLOWED.get(name, {})) for name, reason, find in _REASONS)
