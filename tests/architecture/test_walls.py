"""The walls of the house: what may import what, how large a module may be, and that nothing stands unheld."""

import ast
import re
from unittest import TestCase

import pytest

from tests.architecture.code import APPS, ROOT, Import, imports, modules, parsed

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded

# Imports of our own run down these floors; what stands side by side never meets.
MAY_IMPORT = {
    "koshflow": {"koshflow", "accounts", "monitoring", "security"},
    "accounts": {"accounts", "security"},
    "monitoring": {"monitoring", "security"},
    "security": {"security"},
}
# Heavy third-party modules that only one route or command needs, imported inside the function that needs them.
LAZY = {
    "ua_parser",
    "bleach",
    "segno",
    "zxcvbn",
    "procrastinate",
    "drf_spectacular",
    "psutil",
    "sqlglot",
    "django",
    "gunicorn",
    "dj_email_url",
    "sentry_sdk",
}
MAX_LINES = 300


def own_imports() -> list[Import]:
    return [found for path in modules() for found in imports(path) if found.module.split(".")[0] in APPS]


class Floors(TestCase):
    """Imports run down: koshflow → accounts | monitoring → security."""

    def test_nobody_imports_upwards_or_sideways(self):
        for found in own_imports():
            app = found.importer.split(".")[0]
            self.assertIn(found.module.split(".")[0], MAY_IMPORT[app], str(found))

    def test_apps_meet_at_a_features_face(self):
        """Across apps only `app.feature` or a module that has no package around it may be imported."""
        faces = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in modules() if p.name == "__init__.py"}
        for found in own_imports():
            app, target = found.importer.split(".")[0], found.module
            if app == target.split(".")[0] or app == "koshflow":
                continue
            is_face = target in faces
            is_single_module = target.count(".") == 1 and (ROOT / (target.replace(".", "/") + ".py")).exists()
            self.assertTrue(is_face or is_single_module, f"{found}: import the face instead")

    def test_no_import_of_our_own_hides_in_a_function(self):
        for found in own_imports():
            if found.file.name == "apps.py":
                continue
            self.assertFalse(found.is_hidden and found.file.name != "manage.py", f"{found} inside a function")

    def test_only_listed_third_party_imports_are_lazy(self):
        for path in modules():
            for found in imports(path):
                top = found.module.split(".")[0]
                if found.is_hidden and top not in APPS:
                    self.assertIn(top, LAZY, str(found))


class Modules(TestCase):
    """Small modules with one reason to change, named for it."""

    def test_none_is_longer_than_three_hundred_lines(self):
        for path in modules() + sorted((ROOT / "tests").rglob("*.py")):
            lines = len(path.read_text().splitlines())
            self.assertLessEqual(lines, MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines")

    def test_none_is_a_drawer(self):
        for path in modules():
            self.assertNotRegex(path.stem, r"^(utils?|helpers?|common|misc|base2)$|_v2$|_enhanced$", str(path))

    def test_each_says_what_it_owns(self):
        for path in modules():
            if parsed(path).body:
                self.assertTrue(ast.get_docstring(parsed(path)), f"{path.relative_to(ROOT)} has no docstring")

    def test_no_refusal_is_swallowed(self):
        for path in modules():
            self.assertIsNone(
                re.search(r"except( Exception)?:\s*\n\s*pass\b", path.read_text()), path.relative_to(ROOT)
            )


class TheMap(TestCase):
    """A stranger finds every feature on the map, and nothing there that is gone."""

    told = (ROOT / "docs" / "architecture.md").read_text()

    def test_each_feature_stands_on_it(self):
        for app in APPS:
            for path in (ROOT / app).glob("*/__init__.py"):
                name = f"`{app}/{path.parent.name}"
                if path.parent.name not in ("migrations", "management"):
                    self.assertTrue(re.search(rf"{name}\b", self.told), f"docs/architecture.md has no {name}`")

    def test_what_stands_on_it_is_there(self):
        for name in re.findall(rf"`((?:{'|'.join(APPS)})/[\w/.]+)`", self.told):
            self.assertTrue((ROOT / name).exists(), f"docs/architecture.md names {name}, which is not there")


class Commands(TestCase):
    """Every management command has a test that runs it."""

    def test_each_is_run_by_name_in_some_test(self):
        texts = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
        tests = "".join(text for path, text in texts.items() if path.name.startswith("test_"))
        # A list of names, or a bench, proves nothing; what tests stand on counts where it runs the command.
        run = set(re.findall(r"(?:call_command|output_of)\(\s*\"(\w+)\"", "".join(texts.values())))
        for app in APPS:
            for path in (ROOT / app).glob("management/commands/*.py"):
                if path.stem != "__init__":
                    is_run = path.stem in run or re.search(rf"[\"']{path.stem}[\"']", tests) is not None
                    self.assertTrue(is_run, f"no test runs {path.stem}")
