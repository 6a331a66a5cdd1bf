"""Statements that take the most time, those that requests repeat, and advice on indexes; no values of any."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import DatabaseError, connections
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from koshflow.operators.pages import OperatorsAdmin
from monitoring.database import Advice, RecordedStatement, advice

logger = logging.getLogger("koshflow.database")

MOST_ROWS = 50
# Advice on SQLite may take 20 by itself, and a request that is cut off by a proxy's usual minute tells nobody anything.
ADVICE_SECONDS = 30.0
_ORDERS = {"time": "-total_ms", "slow": "-slow_calls", "repeated": "-repeats", "longest": "-max_ms"}
RecordedStatement._meta.verbose_name_plural = "statements"


@dataclass(slots=True)
class _Asked:
    given: Advice | None = None
    trouble: str = ""


_is_advising = threading.Lock()


def advise(
    alias: str = "default", *, seconds: float = ADVICE_SECONDS, make: Callable[[str], Advice] = advice
) -> _Asked:
    """Advice, waited for at most `seconds`; else the sentence why not. One at a time in a process."""
    if not _is_advising.acquire(blocking=False):
        return _Asked(trouble="It is being made already; look again in a moment.")
    asked = _Asked()

    def work() -> None:
        try:
            asked.given = make(alias)
        except DatabaseError as error:
            logger.warning("advice_failed", exc_info=error)
            asked.trouble = f"The database does not answer: {type(error).__name__}."
        except Exception as error:
            # A statement that nobody thought of must not end the page: what else it says stays of use.
            logger.exception("advice_failed")
            asked.trouble = f"No advice could be made: {type(error).__name__}. The log says where."
        finally:
            connections.close_all()  # this thread's
            _is_advising.release()

    # Beside the request: a planner that hangs must not hold one of the server's threads for ever.
    thread = threading.Thread(target=work, name="advice", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return _Asked(
            trouble=f"It took more than {seconds:g} s. Run manage.py db_advise, which waits for as long as it takes."
        )
    return asked


@admin.register(RecordedStatement)
class StatementsAdmin(OperatorsAdmin):
    """At most fifty rows; the table itself is bounded."""

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        return [
            *super().get_urls(),
            path("advice/", guard(self.advice_view), name=f"{self.route}_advice"),
            path("<int:object_id>/change/", guard(self.statement_view), name=f"{self.route}_change"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """By the time that all calls took, by how many were slow, or by how many requests repeated it."""
        self.staff(request)
        order = request.GET.get("by", "")
        order = order if order in _ORDERS else "time"
        rows = RecordedStatement.objects.order_by(_ORDERS[order], "pk")
        if order in ("slow", "repeated"):
            rows = rows.filter(**{"slow_calls__gt" if order == "slow" else "repeats__gt": 0})
        orders = (("time", "All time"), ("longest", "Longest"), ("slow", "Slow"), ("repeated", "Repeated (N+1)"))
        shown = {"rows": rows.defer("shapes", "plan")[:MOST_ROWS], "order": order, "orders": orders}
        return self.page(request, "statements", title="Statements", most=MOST_ROWS, **shown)

    def statement_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """One statement with its plan."""
        self.staff(request)
        row = RecordedStatement.objects.filter(pk=object_id).first() if object_id < 2**63 else None
        if row is None:
            raise Http404
        plan = "\n".join(str(line) for line in row.plan or [])
        return self.page(request, "statement", title=f"Statement {row.fingerprint}", row=row, plan=plan)

    def advice_view(self, request: HttpRequest) -> HttpResponse:
        """Advice made now, where the button was pressed: it costs some hundred plans, and changes nothing."""
        self.staff(request)
        asked = advise() if request.method == "POST" else _Asked()
        return self.page(
            request,
            "advice",
            title="Advice on indexes",
            given=asked.given,
            repeated=[one for one in asked.given.statements if one.repeats] if asked.given else [],
            trouble=asked.trouble,
            now=timezone.now(),
        )
