"""Ten thousand characters are refused for their length, before any pattern or sanitiser runs over them (CWE-1333).

What each costs is measured in `tests.performance.redos`, which also finds the validators.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.forms import CharField
from django.test import SimpleTestCase
from rest_framework.exceptions import ValidationError

from accounts.identity.fields import PanField
from security.errors import Problem
from tests.performance.redos import corpus, headers, input_forms, input_serializers, patterns

pytestmark = pytest.mark.embedded

# One that a normaliser, one that a trimmer and one that a pattern would spend time on, and one that all let pass.
HOSTILE = [corpus()[kind] for kind in ("combining", "blanks", "mail", "letters")] + [" " * 10_000]
# Longer than what any field takes, so that a look at the first few characters is no look at the text.
LONG = 4_200


def looks_at(text: str, judge: Callable[[str], Any]) -> list[str]:
    """Built-in functions that went over a long text, or ran a pattern, while `judge` judged `text`.

    The interpreter tells of every call of one (`sys.setprofile`); len() and a comparison of types read nothing.
    """
    seen: list[str] = []

    def watch(_: Any, event: str, called: Any) -> None:
        owner = getattr(called, "__self__", None)
        if event == "c_call" and (
            (isinstance(owner, str | bytes) and len(owner) >= LONG)
            or isinstance(owner, re.Pattern)
            or getattr(called, "__module__", "") in ("unicodedata", "_sre")
        ):
            seen.append(called.__qualname__)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        judge(text)
    finally:
        sys.setprofile(before)
    return seen


class Watching(SimpleTestCase):
    """The watcher sees what it is there for, or the promise below would be empty."""

    def test_it_sees_methods_patterns_and_normalisers(self):
        import unicodedata

        long = "a" * 10_000
        self.assertEqual(looks_at(long, lambda text: text.strip()), ["str.strip"])
        self.assertEqual(looks_at(long, lambda text: re.compile("b").search(text))[-1:], ["Pattern.search"])
        self.assertEqual(looks_at(long, lambda text: unicodedata.normalize("NFC", text)), ["normalize"])
        self.assertEqual(looks_at(long, lambda text: (len(text), text[:64].strip(), isinstance(text, str))), [])


class LengthFirst(SimpleTestCase):
    """Whatever a client may fill in."""

    def refused(self, judge: Callable[[str], Any]) -> Callable[[str], None]:
        def try_it(text: str) -> None:
            with self.assertRaises((ValidationError, Problem)):
                judge(text)

        return try_it

    def test_each_member_of_each_body(self):
        serializers = input_serializers()
        self.assertLessEqual({"RegisterSerializer", "LoginSerializer", "UpdateProfileSerializer"}, set(serializers))
        for name, serializer in serializers.items():
            for member, field in serializer().fields.items():
                for text in HOSTILE:
                    with self.subTest(f"{name}.{member}", text=text[:5]):
                        self.assertEqual(looks_at(text, self.refused(field.run_validation)), [])

    def test_each_body_as_a_whole(self):
        for name, serializer in input_serializers().items():
            for text in HOSTILE:
                with self.subTest(name, text=text[:5]):
                    form = serializer(data=dict.fromkeys(serializer().fields, text))
                    self.assertEqual(
                        looks_at(text, self.refused(lambda _, f=form: f.is_valid(raise_exception=True))), []
                    )

    def test_each_text_of_each_form(self):
        """Django's fields ask all their validators together: none of them may be a pattern."""
        forms = input_forms()
        self.assertLessEqual({"SignInForm", "CodeForm", "OwnPasswordForm"}, set(forms))
        cheap = (MaxLengthValidator, ProhibitNullCharactersValidator)
        for name, form in forms.items():
            for member, field in form.base_fields.items():
                if type(field) is not CharField:
                    continue  # the library's own kinds check a length of their own
                with self.subTest(f"{name}.{member}"):
                    self.assertLessEqual(field.max_length or sys.maxsize, 1024)
                    self.assertEqual([v for v in field.validators if not isinstance(v, cheap)], [])

    def test_what_is_only_blank_is_absent_while_it_is_short(self):
        self.assertIsNone(PanField(required=False).run_validation("   "))


class Found(SimpleTestCase):
    """The measurement finds the validators by itself; it finds these, which nobody wrote down for it."""

    def test_patterns(self):
        self.assertLessEqual(
            {"accounts.identity.pan._SHAPE[0]", "security.screening.score.PATTERNS[3]"}, set(patterns())
        )

    def test_headers(self):
        self.assertLessEqual({"HTTP_ACCEPT", "HTTP_X_FORWARDED_FOR", "HTTP_TRACEPARENT"}, set(headers()))
