"""The forms of the admin's own pages: sign-in, code, and one's own password. They know shapes; services decide."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms

from accounts.twofactor.totp import is_code
from security.errors import Problem

_Result = TypeVar("_Result")


class RefusableForm(forms.Form):
    """A form whose act a service may refuse; the refusal's sentences then stand on the page."""

    refusal: Problem | None = None

    def attempt(self, act: Callable[[], _Result]) -> _Result | None:
        """What `act` returns, or None with `refusal` set."""
        try:
            return act()
        except Problem as problem:
            self.refusal = problem
            for sentence in [entry.message for entry in problem.fields] or [problem.detail]:
                self.add_error(None, sentence)
            return None


class SignInForm(RefusableForm):
    """E-mail and password; neither is judged here, so that the form tells nothing about either."""

    email = forms.CharField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class UnrepeatedInput(forms.PasswordInput):
    """A text one can see while typing, and that no answer shows again: a code, or a password typed by mistake."""

    input_type = "text"


class CodeForm(RefusableForm):
    """A code of the authenticator app, with or without its space, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=64,
        widget=UnrepeatedInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "off",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )

    def factor(self) -> dict[str, str]:
        """`{"code": …}` for six digits, else `{"recovery_code": …}`: how the services tell the two apart."""
        text: str = self.cleaned_data["code"]
        code = text.replace(" ", "")
        return {"code": code} if is_code(code) else {"recovery_code": text}


class UnlockForm(forms.Form):
    """Why somebody is let back in, in the words of who does it."""

    reason = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
        help_text="Kept in the audit log. For example: called back on the number we know, the tries were theirs.",
    )


class UnlockAddressForm(UnlockForm):
    """The same for an address, which only those behind it can tell: the counters hold a digest of it."""

    address = forms.GenericIPAddressField(
        label="IP address",
        unpack_ipv4=True,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "size": 60}),
        help_text="Such as 203.0.113.7 or 2001:db8::7. Ask those behind it; of IPv6 its /64 is meant.",
    )
    field_order = ("address", "reason")


class OwnPasswordForm(RefusableForm):
    """One's own password, old and new; the policy is `accounts.passwords`."""

    current_password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    new_password = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    new_password_again = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().clean() or {}
        if fields.get("new_password") != fields.get("new_password_again"):
            self.add_error("new_password_again", "The two new passwords differ.")
        return fields
