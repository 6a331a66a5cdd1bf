"""Our own rules of what no module may do: the tree keeps them, and each of them sees what it is for."""

import re
from unittest import TestCase

import pytest

from tests.architecture.allowed import ALLOWED
from tests.architecture.code import ROOT
from tests.architecture.rules import RULES, breaches, breaches_of_the_tree

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

# Rule → lines that break it, and lines next to them that do not.
PLANTED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "raw SQL": (
        ("cursor.execute('SELECT 1')", "User.objects.raw(q)", "rows.extra(where=[w])", "x = RawSQL('1', [])"),
        ("run.execution('x')", "pool.map(execute, rows)"),
    ),
    "assembled SQL": (
        (
            "c.execute(f'SELECT {name}')",
            "c.execute('SELECT ' + name)",
            "c.execute('SELECT %s' % name)",
            "c.execute('SELECT {}'.format(name))",
            "RawSQL(f'{x}', [])",
        ),
        ("c.execute('SELECT %s', [name])", "c.execute(_TAKE, values)"),
    ),
    "text marked safe": (
        (
            "mark_safe(name)",
            "safestring.mark_safe('<b>')",
            "SafeString(text)",
            "format_html(f'<b>{name}</b>')",
            "format_html('<b>' + name)",
            "format_html_join(', ', form, rows)",
            "@mark_safe\ndef shown(self): ...",
        ),
        ("format_html('<b>{}</b>', name)", "format_html_join('', '<li>{}</li>', rows)", "def f() -> SafeString: ..."),
    ),
    "compared secret": (
        (
            "given.token == wanted",
            "if row.password_digest != digest(user): pass",
            "bytes(row.mac) == made",
            "headers['signature'] == x",
            "a == compute_mac(b)",
            "first == token == second",
        ),
        (
            "token == ''",
            "token is None",
            "row.token_version == user.token_version",
            "len(secret) == 32",
            "reason != _PASSWORD",
            "compare_digest(token, wanted)",
            "code.status == 405",
        ),
    ),
    "pickle": (
        ("import pickle", "from pickle import loads", "import marshal", "import shelve as s", "import numpy, pickle"),
        ("import pickletools_of_ours", "raise TypeError('never pickled')"),
    ),
    "evaluated text": (
        ("eval(text)", "exec(text)", "__import__(name)"),
        ("re.compile(p)", "model.eval()", "literal_eval(x)"),
    ),
    "naive time": (
        (
            "datetime.now()",
            "datetime.datetime.now()",
            "datetime.utcnow()",
            "date.today()",
            "datetime.fromtimestamp(1)",
            "datetime.utcfromtimestamp(1)",
        ),
        ("datetime.now(UTC)", "datetime.now(tz=UTC)", "timezone.now()", "datetime.fromtimestamp(1, UTC)"),
    ),
    "endless wait": (
        (
            "urlopen(url)",
            "urllib.request.urlopen(url, data)",
            "http.client.HTTPSConnection(host)",
            "smtplib.SMTP(host, 25)",
            "socket.create_connection((host, 1))",
            "requests.get(url)",
            "urlopen(url, timeout=None)",
        ),
        (
            "urlopen(url, timeout=3)",
            "urlopen(url, None, 3)",
            "socket.create_connection((host, 1), 2)",
            "smtplib.SMTP(host, 25, timeout=10)",
        ),
    ),
    "shell": (
        ("subprocess.run(c, shell=True)", "Popen(c, shell=flag)", "os.system(c)", "os.popen(c)"),
        ("subprocess.run([c])", "subprocess.run([c], shell=False)"),
    ),
    "guessable chance": (
        ("import random", "from random import choice", "import random as r"),
        ("import secrets", "x.random()"),
    ),
    "weak digest": (
        ("hashlib.md5(b)", "sha1(b)", "hashlib.new('md5')", "hashes.SHA1()"),
        ("hashlib.sha256(b)", "blake2b(b)"),
    ),
    "assert": (("assert user.is_staff", "assert x, 'why'"), ("self.assertTrue(x)", "check(x)")),
}


class OurRules(TestCase):
    """No module breaks one, but where its rule names the place and says why."""

    def test_the_tree_keeps_them(self):
        rules = {rule.name: rule for rule in RULES}
        for breach in breaches_of_the_tree():
            with self.subTest(str(breach)):
                rule = rules[breach.rule]
                self.assertIn(breach.place, rule.allowed, f"{breach}: {rule.reason}")

    def test_no_exception_outlives_its_place(self):
        for rule in RULES:
            found = {breach.place for breach in breaches_of_the_tree() if breach.rule == rule.name}
            self.assertLessEqual(set(rule.allowed), found, rule.name)

    def test_each_rule_and_each_exception_has_its_reason(self):
        for rule in RULES:
            for reason in (rule.reason, *rule.allowed.values()):
                self.assertRegex(reason, r"^.{15,}\.$", rule.name)
        self.assertLessEqual(set(ALLOWED), {rule.name for rule in RULES})

    def test_no_template_turns_escaping_off(self):
        for page in [*ROOT.glob("templates/**/*.html"), *ROOT.glob("*/templates/**/*.html")]:
            self.assertIsNone(re.search(r"\|\s*safe(seq)?\b|autoescape\s+off", page.read_text()), str(page))


class PlantedBreaches(TestCase):
    """Each rule sees what it is for, inside functions too, and leaves its harmless neighbour alone."""

    def test_every_rule_has_some(self):
        self.assertEqual([rule.name for rule in RULES], list(PLANTED))

    def test_each_is_seen(self):
        for rule in RULES:
            for line in PLANTED[rule.name][0]:
                with self.subTest(rule.name, line=line):
                    (alone,) = breaches(line, "app/part.py", rule)
                    self.assertEqual((alone.rule, alone.place), (rule.name, "app/part.py::"))
                    indented = "\n".join(f"        {part}" for part in line.splitlines())
                    (inside,) = breaches(f"class A:\n    def b(self):\n{indented}\n", "app/part.py", rule)
                    self.assertEqual(inside.place, "app/part.py::A.b")

    def test_their_neighbours_are_not(self):
        for rule in RULES:
            for line in PLANTED[rule.name][1]:
                with self.subTest(rule.name, line=line):
                    self.assertEqual(breaches(line, "app/part.py", rule), [])
