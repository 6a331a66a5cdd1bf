"""Times each layer of the middleware within one process: `python -m tests.performance.layers REQUESTS TOKEN …`.

A real `/me` is served by the whole chain. Prints JSON: microseconds a request, medians of all. What the view, its
SQL and Django's handler take is left out.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from tests.performance.serving import Application, application, ask, me, production

# isort: split
from django.conf import settings

from security.limits.counting import shared_counters
from tests.performance.probe import Cpu, Elapsed, Timed

_WARM_UP = 100
_CLOCK = "monitoring.requests.middleware.RequestClockMiddleware"
_LIMITS = "accounts.sessions.limiting.LimitMiddleware"


def measure(*, requests: int, tokens: Sequence[str]) -> dict[str, float]:
    """CPU of the `whole` chain, of the `protection` that it is without the clock, and what the `clock` adds to that;
    without the `store`, the round trip that limits and revocation share. Then each layer by name, elapsed. Requests
    take turns: two are timed as a whole, the next layer by layer."""
    chain = list(settings.MIDDLEWARE)
    if _CLOCK not in chain:
        raise LookupError(f"no longer in MIDDLEWARE: {_CLOCK}")
    # Two at the inner end: what lies between them is what a probe itself adds to the one outside it.
    whole, protected = (
        application([_path(Cpu), *layers, _path(Cpu), _path(Cpu)])
        for layers in (chain, [layer for layer in chain if layer != _CLOCK])
    )
    split = application([path for layer in chain for path in (_path(Elapsed), layer)] + [_path(Elapsed)] * 2)
    hooks = _timed_hooks(split)
    environs = me(tokens)
    taken: dict[str, list[int]] = defaultdict(list)
    for number in range(_WARM_UP):
        for app in (whole, protected, split):
            ask(app, dict(environs[number % len(environs)]))
    ask_store = shared_counters._script
    for number in range(requests):
        environ = environs[number % len(environs)]
        for name, app, probes in (("whole", whole, slice(3)), ("protection", protected, slice(3, 6))):
            shared_counters._script = store = Timed(ask_store, Cpu.clock)
            ask(app, dict(environ))
            inner, end, outer = Cpu.spent[probes]
            taken["store"].append(store.take())
            taken[name].append(outer - end - (end - inner) - taken["store"][-1])
        taken["clock"].append(taken["whole"][-1] - taken["protection"][-1])
        shared_counters._script = store = Timed(ask_store, Elapsed.clock)
        ask(split, dict(environ))
        inside = Elapsed.spent[::-1]
        own = inside[-2] - inside[-1]
        for place, layer in enumerate(chain):
            hooked = sum(hook.take() for hook in hooks[layer])
            waited = store.take() if layer == _LIMITS else 0
            taken[layer].append(inside[place] - inside[place + 1] - own - waited + hooked)
    return {_short(name): round(median(values) / 1000, 1) for name, values in taken.items()}


def _timed_hooks(app: Application) -> dict[str, list[Timed]]:
    """The `process_view` of each layer, which Django calls on the view's side of the chain."""
    hooks: dict[str, list[Timed]] = defaultdict(list)
    for method in app._view_middleware:
        hooks[_path(type(method.__self__))].append(Timed(method, Elapsed.clock))
    app._view_middleware = [timed for timeds in hooks.values() for timed in timeds]
    return hooks


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _short(layer: str) -> str:
    return layer.rpartition(".")[2].removesuffix("Middleware")


if __name__ == "__main__":
    with production():
        measured = measure(requests=int(sys.argv[1]), tokens=sys.argv[2:])
    print(json.dumps(measured))
