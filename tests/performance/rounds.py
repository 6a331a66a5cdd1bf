"""Measures the product against the stock peer in alternating slices, so that the machine's moods hit both alike."""

import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.performance.cpu import read_tree, total, used_by_children
from tests.performance.figures import Round, Slice
from tests.performance.servers import load_result, run_load
from tests.server import Server

CONNECTIONS = 16
Plans = list[dict[str, Any]]


@dataclass(kw_only=True)
class Contender:
    """One server, and the connection plans of its next slice."""

    server: Server
    plans: Plans


def asking_in_turn(requests: Sequence[bytes], *, connections: int = CONNECTIONS) -> Plans:
    """Plans that each send all `requests` in turn, starting at different ones, from addresses of their own.

    One address for all would meet the limits of a client long before those of the server.
    """
    texts = [request.decode() for request in requests]
    return [
        {"source": f"127.0.0.{number + 2}", "requests": texts[number % len(texts) :] + texts[: number % len(texts)]}
        for number in range(connections)
    ]


def refreshing(path: str, *, member: str, tokens: Sequence[str]) -> Plans:
    """Plans that rotate one refresh token each, over and over."""
    return [
        {"source": f"127.0.0.{number + 2}", "chain": {"path": path, "member": member, "token": token}}
        for number, token in enumerate(tokens)
    ]


def take_slice(contender: Contender, *, seconds: float, postgres_pid: int | None) -> Slice:
    """Load one server over fresh connections. Raises RuntimeError where any answer was not a 200."""
    server = contender.server
    before, database = read_tree(server.pid), _cpu_of(postgres_pid)
    result = load_result(run_load(port=server.port, connections=contender.plans, seconds=seconds))
    after, database_after = read_tree(server.pid), _cpu_of(postgres_pid)
    if set(result["statuses"]) != {"200"}:
        raise RuntimeError(f"answers {result['statuses']} {result['codes']}:\n{server.log_tail()}")
    for plan, token in zip(contender.plans, result["tokens"], strict=False):
        plan["chain"]["token"] = token
    return Slice(
        requests=result["statuses"]["200"],
        seconds=seconds,
        worker_cpu=used_by_children(before, after, root=server.pid),
        postgres_cpu=database_after - database,
        p50=result["ms"]["200"]["p50"],
        p99=result["ms"]["200"]["p99"],
    )


def _cpu_of(pid: int | None) -> float:
    return total(read_tree(pid)) if pid is not None else float("nan")


def take_rounds(
    product: Contender, stock: Contender, *, seconds: float, wanted: int, most: int, postgres_pid: int | None
) -> tuple[list[Round], int]:
    """At least one and up to `wanted` rounds that count, and how many were dropped, of at most `most` in all.

    Where no round counts (one processor, or bad luck) all are returned and all are reported as dropped.
    """
    measure: Callable[[Contender], Slice] = lambda one: take_slice(one, seconds=seconds, postgres_pid=postgres_pid)  # noqa: E731
    for contender in (product, stock):
        measure(contender)  # the first requests of each thread open its connections
    taken: list[Round] = []
    while sum(one.counts for one in taken) < wanted and len(taken) < most:
        if random.random() < 0.5:
            first = measure(product)
            taken.append(Round(first, measure(stock)))
        else:
            first = measure(stock)
            taken.append(Round(measure(product), first))
        say(f"cpu {taken[-1].ratio('cpu_us'):.2f} rate {taken[-1].ratio('rate'):.2f} counts {taken[-1].counts}")
    balanced = [one for one in taken if one.counts]
    return balanced or taken, len(taken) - len(balanced)


def say(text: str) -> None:
    """Progress, for people, beside the figures."""
    print(f"[{os.getloadavg()[0]:.1f}] {text}", file=sys.stderr, flush=True)
