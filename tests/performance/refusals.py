"""What refusing costs: hostile requests one after the other, the time to each answer and what the server keeps."""

from collections import Counter

from tests.performance.cpu import read_tree, resident_mb, total
from tests.performance.figures import percentile
from tests.performance.hostile import KINDS, REGISTER_ONCE, pieces_of, send
from tests.performance.load import get
from tests.performance.servers import serve_product
from tests.performance.stand import CHEAP_ROUNDS, HEALTH, LIVE, Bench
from tests.server import Server

LARGEST_GROWTH_MB = 20


def refusals(bench: Bench) -> None:
    """Each kind many times on one server: a 4xx with a code within 100 ms, and at most 20 MB more in its workers."""
    project = bench.product_at(CHEAP_ROUNDS)
    project.environment |= REGISTER_ONCE
    with serve_product(project, probe=LIVE) as server:
        # What a worker loads and connects to with its first requests is no growth, whoever they come from.
        for _ in range(20):
            send(server.port, pieces_of("cut_short"))
            send(server.port, iter([get(HEALTH)]))
        send(server.port, pieces_of("over_the_limit"))  # the one that the limit lets through
        first = weight_mb(server)
        for kind in KINDS:
            _refuse(bench, server, kind)
        grown = round(weight_mb(server) - first, 1)
        bench.show("refusals_growth_mb_all_kinds", grown, rounds=1)


def _refuse(bench: Bench, server: Server, kind: str) -> None:
    weight, cpu = weight_mb(server), total(read_tree(server.pid))
    answers, probes = [], []
    for _ in range(bench.form.refusals):
        answers.append(send(server.port, pieces_of(kind)))
        probes.append(send(server.port, iter([get(LIVE)])).seconds * 1000)
    cpu_ms = (total(read_tree(server.pid)) - cpu) * 1000 / len(answers)
    grown = round(weight_mb(server) - weight, 1)
    milliseconds = [answer.seconds * 1000 for answer in answers]
    slowest = round(max(milliseconds), 1)
    is_clean = all(400 <= answer.status < 500 and answer.code for answer in answers) and grown <= LARGEST_GROWTH_MB
    bench.show(
        f"refusal_ms_{kind}",
        {"max": slowest, "p50": round(percentile(milliseconds, 0.5), 1), "server_cpu_ms": round(cpu_ms, 1)},
        # Another answer than a refusal, or more memory than that, fails the figure.
        judged=slowest if is_clean else float("inf"),
        at_most=100,
        rounds=len(answers),
        answers=dict(Counter(f"{answer.status} {answer.code}" for answer in answers)),
        growth_mb=grown,
        # What asking for nothing takes on this machine, one after each: a slow answer may be somebody else's doing.
        probe_ms={"max": round(max(probes), 1), "p50": round(percentile(probes, 0.5), 1)},
        sent_mb=round(max(answer.sent_bytes for answer in answers) / 1e6, 2),
    )


def weight_mb(server: Server) -> float:
    """Resident memory of all workers."""
    return sum(resident_mb(pid) for pid in server.workers)
