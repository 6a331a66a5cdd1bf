"""The dashboard: what stands now, and panels of the last hour, day, month or year, drawn on the server."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone

from accounts.sessions.models import Session
from koshflow.operators.pages import OperatorsAdmin
from monitoring.alerts import Severity, Status, active_alerts
from monitoring.backups import is_late, known_backups
from monitoring.dashboard import PERIODS, Period, draw, panels
from monitoring.rollups import MetricSeries
from monitoring.schedule import overdue
from security.outbox import oldest_waiting
from security.tlog import last_verification, oldest_pending

REFRESH_SECONDS = 30
_FIRST = "1h"
# What the overview calls the page. In the model's Meta it would be a migration that changes no table.
MetricSeries._meta.verbose_name_plural = "dashboard"


@dataclass(frozen=True, slots=True)
class Tile:
    """One fact about now. `route` is the page that says more, "" for none."""

    title: str
    text: str
    is_bad: bool = False
    route: str = ""


@admin.register(MetricSeries)
class DashboardAdmin(OperatorsAdmin):
    """The page asks for itself again every half minute; that is no use of the admin, and lets an idle stay end."""

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        numbers = path("numbers/<slug:slug>/", guard(self.numbers_view), name=f"{self.route}_numbers")
        return [*super().get_urls(), numbers]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The page of the period that is asked for."""
        self.staff(request)
        now, period = timezone.now(), _period(request)
        return self.page(
            request,
            "dashboard",
            title="Dashboard",
            period=period,
            periods=PERIODS.values(),
            now=now,
            tiles=[(tile, self._address(request, tile)) for tile in _tiles(now)],
            drawings=[(draw(panel), _times(period)) for panel in panels(period, now)],
            refresh_seconds=REFRESH_SECONDS,
        )

    def numbers_view(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The numbers of one panel as a table, for who reads no picture."""
        self.staff(request)
        period = _period(request)
        panel = next((panel for panel in panels(period, timezone.now()) if panel.slug == slug), None)
        if panel is None:
            raise Http404
        values = zip(*(line.values for line in panel.lines), strict=True)
        rows = [(datetime.fromtimestamp(at, UTC), row) for at, row in zip(panel.starts, values, strict=True)]
        return self.page(
            request, "dashboard_numbers", title=panel.title, panel=panel, period=period, rows=reversed(rows)
        )

    @staticmethod
    def _address(request: HttpRequest, tile: Tile) -> str:
        """Of the page that says more, for those who may see it."""
        app, _, model = tile.route.partition("_")
        return reverse(f"admin:{tile.route}_changelist") if request.user.has_perm(f"{app}.view_{model}") else ""


def _period(request: HttpRequest) -> Period:
    return PERIODS.get(request.GET.get("period", ""), PERIODS[_FIRST])


def _times(period: Period) -> str:
    """How moments of `period` are written at the foot of a panel, in the words of Django's `date`."""
    return "H:i" if period.seconds <= 24 * 3600 else "j M" if period.seconds <= 60 * 24 * 3600 else "M Y"


def _tiles(now: datetime) -> list[Tile]:
    firing = [alert for alert in active_alerts(now=now) if alert.status is Status.FIRING]
    is_critical = any(alert.rule.severity is Severity.CRITICAL for alert in firing)
    late, pending, run, oldest = overdue(now), oldest_pending(), last_verification(), oldest_waiting()
    verified, is_doubtful = "never", False
    if run is not None:
        verified = "CHANGED" if run.faults else f"{'in part, ' if run.not_verified else ''}{_ago(now, run.at)}"
        is_doubtful = bool(run.faults)
    is_stuck, is_unsealed = _is_older(now, oldest, 600), _is_older(now, pending, 60)
    fire = f"{len(firing)}{', critical' if is_critical else ''}"
    return [
        Tile("Alerts that fire", fire, bool(firing), "monitoring_alertstate"),
        Tile("Functions overdue", str(len(late)), bool(late), "monitoring_schedulerun"),
        Tile("Sessions alive", str(Session.objects.alive(now).count()), route="accounts_session"),
        Tile("Oldest message that waits", _ago(now, oldest), is_stuck),
        Tile("Oldest event without a seal", _ago(now, pending), is_unsealed, "security_auditevent"),
        Tile("Audit log verified", verified, is_doubtful, "security_auditevent"),
        _last_backup(now),
    ]


def _last_backup(now: datetime) -> Tile:
    """Of the target whose last is oldest. Where no job ever told of one: a page without it would be read as "well"."""
    known = known_backups()
    if not known:
        return Tile("Last backup", "not set up", is_bad=True)
    oldest = known[0]
    late = sum(is_late(backup, now) for backup in known)
    return Tile(
        "Last backup",
        f"{oldest.target}, {_ago(now, oldest.finished_at)}{f'; {late} of {len(known)} LATE' if late else ''}",
        is_bad=bool(late),
    )


def _ago(now: datetime, moment: datetime | None) -> str:
    if moment is None:
        return "none"
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _is_older(now: datetime, moment: datetime | None, seconds: float) -> bool:
    return moment is not None and (now - moment).total_seconds() > seconds
