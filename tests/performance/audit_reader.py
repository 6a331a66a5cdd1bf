"""An auditor who reads the product's log when told to, in a process of its own; `tests.performance.audit_list` asks.

    python -m tests.performance.audit_reader

Prints the names of the searches as one line of JSON. Then each line that it reads, `NAME TIMES`, has it do that search
so often by each of the ways, and print `{"ms": {WAY: [milliseconds]}, "rows": events of the page, "cut": bool}`; `NAME
plans` prints what the database does for it.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from koshflow.wsgi import application  # noqa: F401  (sets Django up, as for a server)

# isort: split
import psycopg
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.audit import services
from accounts.audit.forms import SearchForm
from accounts.sessions.models import Session
from accounts.staff import StaffRole
from security.audit import Action, AuditEvent, find
from security.audit.models import ADDRESS_FIELD
from security.crypto import blind_index
from tests.accounts.admin.door import CODE, LOGIN, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of
from tests.performance.audit_events import ADDRESSES, address_of

LIST = "/admin/security/auditevent/"
PAGES = 1_000
COMPARED = "compared: "  # no index holds what these name together
_MOMENT = "%Y-%m-%dT%H:%M:%S"


class Reader:
    """An auditor inside the admin, and the searches that fit the log as it is."""

    def __init__(self) -> None:
        staff = with_factor(hire(StaffRole.AUDITOR, email="omar@staff.example.in"))
        self.client = Client(headers={"host": "localhost"})
        self.client.post(LOGIN, {"email": staff.user.email, "password": staff.password})
        entered = self.client.post(CODE, {"code": code_of(staff.secret)})
        assert entered.status_code == 302, entered.content
        self.by = Session.objects.select_related("user__subject").get(user=staff.user)
        self.searches = searches()

    def asked(self, name: str) -> tuple[SearchForm, int | None]:
        """A search as its form, found valid, and the row id below which it begins."""
        question = dict(self.searches[name])
        before = question.pop("before", None)
        form = SearchForm(question)
        assert form.is_valid(), form.errors
        return form, None if before is None else int(before)

    def read(self, name: str, times: int) -> dict[str, Any]:
        form, before = self.asked(name)
        wanted, path = form.wanted(), f"{LIST}?{urlencode(self.searches[name])}"

        def page() -> None:
            response = self.client.get(path)
            assert response.status_code == 200, response.content

        def service() -> None:
            services.list_events(by=self.by, wanted=wanted, sought=form.sought(), before=before)

        ways: dict[str, Callable[[], Any]] = {
            "search": lambda: find(wanted, size=services.PAGE_SIZE, before=before),
            "service": service,
            "page": page,
        }
        found = ways["search"]()
        taken = {way: [_milliseconds(act) for _ in range(times)] for way, act in ways.items()}
        return {"ms": taken, "rows": len(found.events), "cut": found.is_cut}

    def plans(self, name: str) -> list[str]:
        """The statements of a search, each as the nodes of its plan."""
        form, before = self.asked(name)
        told: list[tuple[str, Any]] = []

        def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            told.append((sql, params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(keep):
            find(form.wanted(), size=services.PAGE_SIZE, before=before)
        plans = []
        with connection.cursor() as cursor:
            for sql, params in told:
                if not sql.startswith("EXPLAIN"):
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                    plans.append(_nodes(cursor.fetchone()[0][0]["Plan"]))
        return plans


def searches() -> dict[str, dict[str, str]]:
    """What is asked, as the fields of the admin's form, by name."""
    newest = AuditEvent.objects.filter(request_id__regex="^[0-9a-f]{32}$", tx__contains="@", tree_index__isnull=False)
    last: AuditEvent = newest.order_by("-id")[0]
    first: AuditEvent = newest.order_by("id")[0]
    middle: AuditEvent = newest.filter(id__gte=(first.pk + last.pk) // 2).order_by("id")[0]
    hour = _between(middle, timedelta(hours=1))
    offset = min(PAGES - 1, (last.pk - first.pk) // services.PAGE_SIZE - 1) * services.PAGE_SIZE
    common, rare = {}, {}
    for name in ("company", "actor", "target", "type", "audit_class", "outcome", "address"):
        values = _addresses() if name == "address" else _filling(name)
        rare[name], common[name] = ({name: str(values[end])} for end in (0, -1))
    searches = {
        "first page": {},
        "1,000th page": {"before": str(newest.filter(id__lte=last.pk - offset).order_by("-id")[0].pk)},
        **{f"{name}, frequent": asked for name, asked in common.items()},
        **{f"{name}, rare": asked for name, asked in rare.items()},
        "type, never": {"type": Action.AUDIT_LOG_RECOVERED.type},
        "request id": {"request_id": middle.request_id},
        "request id of nobody": {"request_id": "f" * 31},
        "time": hour,
        "time, to its end": {"until": hour["until"]},
        "company and time": common["company"] | hour,
        "type and time": common["type"] | hour,
        "address and time": common["address"] | hour,
        "class, outcome and time": {"audit_class": "auth", "outcome": "refused"} | hour,
        "actor and type": common["actor"] | common["type"],
        "actor and type, never": common["actor"] | {"type": Action.AUDIT_LOG_RECOVERED.type},
        "class and outcome": {"audit_class": "auth", "outcome": "refused"},
    }
    compared = {
        "company and type": common["company"] | {"type": Action.PASSWORD_CHANGED.type},
        "company and outcome": common["company"] | {"outcome": "failed"},
        "class and outcome, never": {"audit_class": "account", "outcome": "refused"},
        "actor, type and outcome": common["actor"] | common["type"] | {"outcome": "failed"},
    }
    return searches | {f"{COMPARED}{name}": asked for name, asked in compared.items()}


def _filling(column: str) -> list[Any]:
    """The values of a column that fill a page, the rarest first."""
    counted = f"SELECT {column} FROM audit_event WHERE {column} IS NOT NULL GROUP BY 1 HAVING count(*) > 51"
    with psycopg.connect(os.environ["DATABASE_URL"]) as own:  # the product's connection gives up after some seconds
        return [row[0] for row in own.execute(f"{counted} ORDER BY count(*), 1")]


def _addresses() -> list[str]:
    """The same of the pool of addresses; where none fills a page, the most frequent stands for them."""
    pool = {
        blind_index(table="audit_event", column=ADDRESS_FIELD, value=address_of(number)): address_of(number)
        for number in range(ADDRESSES)
    }
    return [pool[index] for index in map(bytes, _filling("address_index")) if index in pool] or [address_of(0)]


def _between(event: AuditEvent, length: timedelta) -> dict[str, str]:
    begins = timezone.localtime(event.occurred_at)
    return {"since": f"{begins:{_MOMENT}}", "until": f"{begins + length:{_MOMENT}}"}


def _milliseconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return round((time.perf_counter() - started) * 1000, 3)


def _nodes(plan: dict[str, Any]) -> str:
    """`Limit 51 < Index Scan audit_company 51 -0`: each node with the rows it gave and those it threw away."""
    name = " ".join(filter(None, (plan["Node Type"], plan.get("Index Name"))))
    text = f"{name} {plan['Actual Rows']}"
    if thrown := plan.get("Rows Removed by Filter"):
        text += f" -{thrown}"
    return " < ".join([text, *map(_nodes, plan.get("Plans", []))])


def main() -> None:
    logging.disable(logging.WARNING)
    reader = Reader()
    print(json.dumps(list(reader.searches)), flush=True)
    for line in sys.stdin:
        name, _, what = line.rstrip("\n").rpartition(" ")
        answer: Any = reader.plans(name) if what == "plans" else reader.read(name, int(what))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
