"""Staff before the operators' dashboard, with 400 days behind it; `tests.performance.dashboard` runs it on both stores.

    python -m tests.performance.dashboard_reader TIMES BESIDE

Prints as one line of JSON, of each period, the milliseconds of TIMES pages, taken in turn. BESIDE is how many series by
route, which no panel reads, lie between those that are read, as in a real installation.
"""

import json
import logging
import sys
import time

from koshflow.wsgi import application  # noqa: F401  (sets Django up, as for a server)

# isort: split
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.staff import StaffRole
from monitoring.dashboard import PERIODS
from monitoring.rollups import MetricPoint
from monitoring.rollups.models import Kind
from monitoring.rollups.selecting import Key
from monitoring.rollups.store import DAY, HOUR, SeriesIds
from tests.accounts.admin.door import CODE, LOGIN, hire, with_factor
from tests.accounts.twofactor.authenticator import code_of
from tests.monitoring.dashboard.history import fill

PAGE = "/admin/monitoring/metricseries/"


def plant(beside: int) -> int:
    """Fill the roll-ups, and let the database look at them; how many points that is."""
    now = timezone.now()
    end = int(now.timestamp())
    keys = [Key("kf_http_request_duration_seconds_bucket", (("route", f"/api/{n}"),)) for n in range(beside)]
    count = fill(now)
    for pk in SeriesIds().of(keys, Kind.SUM).values():
        points = [
            MetricPoint(series_id=pk, step=step, at=at, value=1)
            for step, seconds in ((60, DAY), (HOUR, 400 * DAY))
            for at in range(end - end % step - seconds, end, step)
        ]
        MetricPoint.objects.bulk_create(points, batch_size=5000)
        count += len(points)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return count


def enter() -> Client:
    """An administrator's browser inside the admin."""
    staff = with_factor(hire(StaffRole.ADMINISTRATOR, email="omar@staff.example.in"))
    client = Client(headers={"host": "localhost"})
    client.post(LOGIN, {"email": staff.user.email, "password": staff.password})
    entered = client.post(CODE, {"code": code_of(staff.secret)})
    assert entered.status_code == 302, entered.content
    return client


def main() -> None:
    logging.disable(logging.WARNING)
    times, beside = map(int, sys.argv[1:])
    points, client = plant(beside), enter()
    taken: dict[str, list[float]] = {slug: [] for slug in PERIODS}
    for turn in range(times + 1):
        for slug, milliseconds in taken.items():
            started = time.perf_counter()
            page = client.get(PAGE, {"period": slug})
            if turn:  # the first of each loads templates and opens a connection
                milliseconds.append(round((time.perf_counter() - started) * 1000, 1))
            assert page.content.count(b'<svg viewBox="0 0 480 170"') == 12, page.content
    print(json.dumps({"points": points, "ms": taken}))


if __name__ == "__main__":
    main()
