"""How many connections this process holds: those of its threads, or those of its pool, and who waits for one."""

import threading
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from django.db import DEFAULT_DB_ALIAS

from monitoring.metrics import metrics

_lock = threading.Lock()
_connections: "WeakSet[Any]" = WeakSet()
_waited_ms: dict[str, float] = {}


def remember(connection: Any) -> None:
    """Count `connection`, a thread's own, as long as it lives."""
    with _lock:
        _connections.add(connection)


def publish_pool() -> None:
    """Set the gauges of this process, and add what its requests waited for a connection since the last time."""
    with _lock:
        known = list(_connections)
    counted = metrics()
    for alias in sorted({connection.alias for connection in known}):
        counted.db_pool_wait.labels(alias)  # at zero before anybody waited
        mine = [connection for connection in known if connection.alias == alias]
        for state, number in _states(mine).items():
            counted.db_pool_connections.labels(alias, state).set(number)


def pool_used_ratio() -> float | None:
    """The part of this process's pool of the first database that is in use; None where threads hold their own."""
    with _lock:
        known = [connection for connection in _connections if connection.alias == DEFAULT_DB_ALIAS]
    pool = getattr(known[0], "pool", None) if known else None
    if not pool:
        return None
    told = pool.get_stats()
    most = told.get("pool_max", 0)
    return (told.get("pool_size", 0) - told.get("pool_available", 0)) / most if most else None


def _states(connections: Iterable[Any]) -> dict[str, float]:
    first, *_ = connections
    pool = getattr(first, "pool", None)
    if not pool:
        return {"used": sum(connection.connection is not None for connection in connections), "idle": 0, "waiting": 0}
    told = pool.get_stats()
    waited = told.get("requests_wait_ms", 0)
    metrics().db_pool_wait.labels(first.alias).inc(max(0.0, waited - _waited_ms.get(first.alias, 0.0)) / 1000)
    _waited_ms[first.alias] = waited
    size, available = told.get("pool_size", 0), told.get("pool_available", 0)
    return {
        "used": size - available,
        "idle": available,
        "waiting": told.get("requests_waiting", 0),
        "max": told.get("pool_max", 0),
    }
