"""What recording adds to a statement, in one process on SQLite: `python -m tests.performance.recording`.

With and without take turns; the least of all rounds counts, since whatever else the machine does only adds.
"""

import json
import time
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.identity.models import User  # noqa: E402
from monitoring.database.recorder import Recorder  # noqa: E402

ROUNDS = 60


def measure(act: Callable[[], object], times: int) -> tuple[float, float]:
    """CPU-microseconds of one call without the recorder and with it."""
    ours = [wrapper for wrapper in connection.execute_wrappers if isinstance(wrapper, Recorder)]
    least = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for place, wrappers in enumerate(([], ours)):
            connection.execute_wrappers[:] = wrappers
            started = time.process_time()
            for _ in range(times):
                act()
            least[place] = min(least[place], (time.process_time() - started) / times * 1e6)
    connection.execute_wrappers[:] = ours
    return least[0], least[1]


def main() -> dict[str, object]:
    call_command("migrate", verbosity=0)
    told: dict[str, object] = {"rounds": ROUNDS}
    with connection.cursor() as cursor:
        acts = {
            "raw": (lambda: cursor.execute("SELECT 1"), 2000),
            "orm": (lambda: list(User.objects.filter(email="asha@lotus.example.in").values_list("id")), 150),
        }
        for name, (act, times) in acts.items():
            without, recorded = measure(act, times)
            added = recorded - without
            told[name] = {
                "without_us": round(without, 2),
                "added_us": round(added, 2),
                "percent": round(100 * added / without, 1),
            }
    return told


if __name__ == "__main__":
    print(json.dumps(main()))
