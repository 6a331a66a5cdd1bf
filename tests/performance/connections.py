"""What a request costs by how connections to PostgreSQL are kept: one a thread, a pool, or a new one each time."""

import random
from contextlib import ExitStack

from tests.performance.figures import Slice, spread
from tests.performance.rounds import Contender, asking_in_turn, say, take_slice
from tests.performance.servers import serve_product
from tests.performance.stand import CHEAP_ROUNDS, LIVE, Bench, gets

WAYS = {
    "kept": {},
    "pool": {"DATABASE_POOL": "9"},
    "new": {"DJANGO_SETTINGS_MODULE": "tests.performance.each_time"},
}


def connections(bench: Bench) -> None:
    """`/me` in alternating slices; CPU of our workers and of PostgreSQL, and latency."""
    taken: dict[str, list[Slice]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        contenders = {}
        for way, change in WAYS.items():
            project = bench.product_at(CHEAP_ROUNDS)
            project.environment |= change
            server = stack.enter_context(serve_product(project, probe=LIVE))
            contenders[way] = Contender(server=server, plans=asking_in_turn(gets(bench.seeded, "/api/auth/me")))
        for number in range(bench.form.rounds + 1):
            for way in random.sample(list(WAYS), len(WAYS)):
                seconds = bench.form.slice_seconds
                one = take_slice(contenders[way], seconds=seconds, postgres_pid=bench.postgres.pid)
                say(f"{way} {one.rate:.0f}/s")
                taken[way] += [one] if number else []  # the first requests of each thread open its connections
    for way, slices in taken.items():
        measured = {
            name: spread([getattr(one, name) for one in slices]) for name in ("cpu_us", "postgres_us", "p50", "p99")
        }
        bench.show(f"connections_{way}", measured, rounds=len(slices))
