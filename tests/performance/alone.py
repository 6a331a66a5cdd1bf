"""Figures of the product by itself: sign-in beside its hash, start, memory, and a flood of sign-ins."""

import http.client
import json
import time
from typing import Any

import bcrypt

from tests.performance.cpu import resident_mb
from tests.performance.figures import spread
from tests.performance.load import get, post
from tests.performance.rounds import asking_in_turn
from tests.performance.servers import load_result, run_load, serve_product
from tests.performance.stand import CHAINS, CHEAP_ROUNDS, HEALTH, LIVE, Bench, gets
from tests.server import Server


def login(bench: Bench) -> None:
    """What a sign-in takes beside its hash: one client, each sign-in followed by one bare hash of the same cost."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.product_server.port, timeout=30)
    salt, differences = bcrypt.gensalt(CHEAP_ROUNDS), []
    for number in range(bench.form.logins + 3):
        body = json.dumps(bench.seeded["logins"][CHAINS + number])
        started = time.perf_counter()
        connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        signed_in = time.perf_counter()
        bcrypt.hashpw(b"k" * 64, salt)
        hashed = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text.decode()}\n{bench.product_server.log_tail()}")
        if number >= 3:  # the first load what only signing in needs
            differences.append((2 * signed_in - started - hashed) * 1000)
    overhead = spread(differences, 1)
    bench.show("login_overhead_ms", overhead, judged=overhead["median"], at_most=25, rounds=len(differences))


def start(bench: Bench) -> None:
    """From starting gunicorn to the first 200, and what a worker weighs that has served nothing yet."""
    seconds, megabytes = [], []
    for _ in range(bench.form.starts):
        with serve_product(bench.product, probe=LIVE) as server:
            time.sleep(0.5)  # both workers have come up
            seconds.append(server.start_seconds)
            megabytes += [resident_mb(pid) for pid in server.workers]
    begun, idle = spread(seconds), spread(megabytes, 1)
    bench.show("start_seconds", begun, judged=begun["median"], at_most=5, rounds=len(seconds))
    used = max(resident_mb(pid) for pid in bench.product_server.workers)
    bench.show(
        "idle_worker_rss_mb",
        idle,
        judged=idle["max"],
        at_most=130,
        rounds=len(megabytes),
        after_the_load=round(used, 1),
    )


def flood(bench: Bench) -> None:
    """40 clients sign in without pause, each to an account of their own with the right password, while others ask
    for /health and /me: these must not notice, and whoever finds no room must hear BUSY within 3 s."""
    project = bench.product_at(bench.form.flood_bcrypt_rounds)
    project.run("tests.performance.seed", "rehash")
    requests = [post("/api/auth/login", person) for person in bench.seeded["logins"][:40]]
    attackers = [
        {"source": f"127.0.1.{number + 2}", "requests": [text.decode()]} for number, text in enumerate(requests)
    ]
    bystanders = {
        HEALTH: [plan | {"pause": 0.02} for plan in asking_in_turn([get(HEALTH)], connections=2)],
        "/api/auth/me": [
            plan | {"pause": 0.02} for plan in asking_in_turn(gets(bench.seeded, "/api/auth/me"), connections=2)
        ],
    }
    seconds = bench.form.flood_seconds
    with serve_product(project, probe=LIVE) as server:
        quiet = _watch(server, bystanders, seconds=min(2.0, seconds))
        attack = run_load(port=server.port, connections=attackers, seconds=seconds + 1)
        time.sleep(0.5)
        seen = _watch(server, bystanders, seconds=seconds)
        attacked = load_result(attack)
    for name, path, bar in (("hash_flood_health_ms", HEALTH, 50), ("hash_flood_me_ms", "/api/auth/me", 100)):
        measured = seen[path]["ms"]["200"]
        bench.show(
            name,
            measured,
            judged=measured["p99"],
            at_most=bar,
            rounds=1,
            answers=seen[path]["statuses"],
            before=quiet[path]["ms"]["200"],
        )
    busy = attacked["ms"].get("503", {"max": 0.0})
    is_clean = set(attacked["statuses"]) <= {"200", "503"} and set(attacked["codes"]) <= {"BUSY"}
    bench.show(
        "hash_flood_busy_ms",
        busy,
        # Anything else than a sign-in or BUSY, or a BUSY that does not say when to come back, fails the figure.
        judged=busy["max"] if is_clean and not attacked["without_retry_after"] else float("inf"),
        at_most=3000,
        rounds=1,
        answers=attacked["statuses"],
        codes=attacked["codes"],
        without_retry_after=attacked["without_retry_after"],
    )


def _watch(server: Server, bystanders: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    running = {
        path: run_load(port=server.port, connections=plans, seconds=seconds) for path, plans in bystanders.items()
    }
    return {path: load_result(process) for path, process in running.items()}
