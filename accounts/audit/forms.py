"""What auditors ask for in the admin, as forms: the shapes of a search and of a reason."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms

from accounts.audit.labels import pseudonym_of
from security.audit import Action, AuditClass, Outcome, Wanted

_ANY = ("", "any")


class _MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M:%S", attrs={"step": 1})


class _MomentField(forms.DateTimeField):
    """A time of India's that UTC has too, whose calendar begins five and a half hours later."""

    widget = _MomentInput

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError("Enter a valid date/time.", code="invalid") from error


class SearchForm(forms.Form):
    """Every criterion may be left out. Times are India's; `until` itself is left out."""

    since = _MomentField(label="From", required=False)
    until = _MomentField(label="Before", required=False)
    actor = forms.CharField(label="Who did it", required=False, max_length=254)
    target = forms.CharField(label="To whom", required=False, max_length=254)
    company = forms.CharField(label="Company", required=False, max_length=254)
    type = forms.ChoiceField(
        label="Action",
        required=False,
        choices=[_ANY, *((a.type, a.type) for a in sorted(Action, key=lambda a: a.type))],
    )
    audit_class = forms.ChoiceField(
        label="Class", required=False, choices=[_ANY, *((c.value, c.value) for c in AuditClass)]
    )
    outcome = forms.ChoiceField(label="Outcome", required=False, choices=[_ANY, *((o.value, o.value) for o in Outcome)])
    request_id = forms.CharField(label="Request id", required=False, max_length=128)
    event_id = forms.UUIDField(label="Event id", required=False)
    address = forms.GenericIPAddressField(label="IP address", required=False, unpack_ipv4=True)

    def clean_actor(self) -> UUID | None:
        return self._named("actor")

    def clean_target(self) -> UUID | None:
        return self._named("target")

    def clean_company(self) -> UUID | None:
        return self._named("company")

    def _named(self, name: str) -> UUID | None:
        text = self.cleaned_data[name]
        found = pseudonym_of(text) if text else None
        if text and found is None:
            raise forms.ValidationError("Nobody has this e-mail address or id now.", code="unknown")
        return found

    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        return Wanted(**{name: value for name, value in self.cleaned_data.items() if value})

    def sought(self) -> dict[str, str]:
        """What was typed, by criterion, of those that were given."""
        given: dict[str, Any] = {name: self.data.get(name, "") for name in self.fields}
        return {name: str(text) for name, text in given.items() if text}


class ReasonForm(forms.Form):
    """Why personal values are opened, in the words of who does it."""

    reason = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
        help_text="Kept in the audit log with your name. For example: incident 4712, which address tried the codes.",
    )
