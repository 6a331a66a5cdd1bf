"""Alerts that are pending or fire, the silences that stand, and the two acts upon them: to silence, and to end one."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone

from koshflow.operators.pages import OperatorsAdmin
from koshflow.operators.words import moment
from monitoring.alerts import (
    RULES,
    AlertSilence,
    AlertState,
    Family,
    Severity,
    SilenceRefused,
    SilenceUnknown,
    active_alerts,
    end_silence,
    evaluated_at,
    silence,
    standing_silences,
    told_all_the_same,
)
from monitoring.channels import PAGERDUTY, configured_channels
from security.audit import Action
from security.errors import MethodNotAllowed
from security.operator_account import MAX_REASON_LENGTH, ReasonRefused

AlertState._meta.verbose_name_plural = "alerts"
# The right to silence; Django makes it for the table of silences.
SILENCE = "monitoring.add_alertsilence"
READ = "security.view_auditevent"
_HOURS = ((1, "1 hour"), (2, "2 hours"), (8, "8 hours"), (24, "1 day"), (7 * 24, "7 days"))


def _which() -> list[tuple[str, Any]]:
    return [
        ("", "choose"),  # a rule that stood there by itself would be muted by one careless press
        ("One rule", [(f"rule:{name}", name) for name in sorted(r.name for r in RULES if not r.is_never_silent)]),
        ("A family", [(f"family:{family}", f"all of {family}") for family in Family]),
        ("A severity", [(f"severity:{severity}", f"all that are {severity}") for severity in Severity]),
    ]


class SilenceForm(forms.Form):
    """Which alerts, for how long, and why; the service judges the reason."""

    which = forms.ChoiceField(label="Alerts", choices=_which)
    hours = forms.TypedChoiceField(label="For", choices=_HOURS, coerce=int, initial=2)
    reason = forms.CharField(
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="A ticket's number, say. Kept in the audit log in clear and for ever: name no person.",
    )


@admin.register(AlertState)
class AlertsAdmin(OperatorsAdmin):
    """Everybody who may look sees silences too: whoever looks must know what nobody is told of."""

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        return [
            *super().get_urls(),
            path("silence/<uuid:silence_id>/end/", guard(self.end_view), name=f"{self.route}_end"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """What stands now; and the form upon it, which tells nobody of some alerts for a time."""
        self.staff(request)
        if request.method != "POST":
            return self._shown(request, SilenceForm())
        by = self.permitted(request, SILENCE)
        form = SilenceForm(request.POST)
        if form.is_valid():
            kind, _, name = form.cleaned_data["which"].partition(":")
            until = timezone.now() + timedelta(hours=form.cleaned_data["hours"])
            subject = by.user.subject
            try:
                made = silence(
                    author=str(subject.pk),
                    actor=subject,
                    reason=form.cleaned_data["reason"],
                    until=until,
                    **{kind: name},
                )
            except (SilenceRefused, ReasonRefused) as refusal:
                form.add_error(None, f"{refusal}.")
            else:
                spared = ", ".join(told_all_the_same(made))
                until_then = f"Silent until {moment(made.until.timestamp(), 'j M, H:i')}: {made.what}"
                messages.success(request, f"{until_then}, but for {spared}." if spared else f"{until_then}.")
                return HttpResponseRedirect(reverse(f"admin:{self.route}_changelist"))
        return self._shown(request, form)

    def end_view(self, request: HttpRequest, silence_id: UUID) -> HttpResponse:
        """End a silence before its time."""
        if request.method != "POST":
            raise MethodNotAllowed(headers={"Allow": "POST"})
        self.staff(request)
        by = self.permitted(request, SILENCE)
        try:
            end_silence(silence_id, author=str(by.user.subject.pk), actor=by.user.subject)
        except SilenceUnknown:
            messages.warning(request, "That silence had ended already.")
        else:
            messages.success(request, "The silence is ended.")
        return HttpResponseRedirect(reverse(f"admin:{self.route}_changelist"))

    @staticmethod
    def _events_of(one: AlertSilence, request: HttpRequest) -> str:
        """Where the audit log tells of the silences of who made `one`, for those who may read it; names stand there."""
        try:
            staff = UUID(one.author)
        except ValueError:
            return ""  # a command of the account that is named
        query = urlencode({"actor": staff, "type": Action.ALERT_SILENCED.type})
        return f"{reverse('admin:security_auditevent_changelist')}?{query}" if request.user.has_perm(READ) else ""

    def _shown(self, request: HttpRequest, form: SilenceForm) -> HttpResponse:
        now = timezone.now()
        return self.page(
            request,
            "alerts",
            title="Alerts",
            now=now,
            alerts=active_alerts(now=now),
            silences=[(one, told_all_the_same(one), self._events_of(one, request)) for one in standing_silences(now)],
            evaluated_at=evaluated_at(),
            channels=configured_channels(),
            pages_only=[PAGERDUTY],
            runbooks=settings.ALERT_RUNBOOKS_URL if "://" in settings.ALERT_RUNBOOKS_URL else "",
            rules=len(RULES),
            form=form,
            may_silence=request.user.has_perm(SILENCE),
        )
