"""The stand that the figures share: stores, both projects filled and served, how long each part takes."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import services
from tests.performance.figures import line
from tests.performance.load import get
from tests.performance.rounds import say
from tests.performance.servers import Project, product, serve_product, serve_stock, stock

LIVE, HEALTH = "/health/live", "/health"
CHEAP_ROUNDS = 10
SESSIONS = 64
CHAINS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How long each part takes."""

    slice_seconds: float
    rounds: int
    most_rounds: int
    filler: int
    logins: int
    starts: int
    flood_seconds: float
    flood_bcrypt_rounds: int
    layer_runs: int
    layer_requests: int
    soak_requests: int
    refusals: int
    audit_events: int
    audit_million: int
    audit_pairs: int
    list_events: tuple[int, int]
    list_rounds: int
    dashboard_pages: int
    dashboard_beside: int


FULL = Form(
    slice_seconds=2.0,
    rounds=9,
    most_rounds=24,
    filler=5000,
    logins=40,
    starts=3,
    flood_seconds=20,
    flood_bcrypt_rounds=14,
    layer_runs=5,
    layer_requests=1000,
    soak_requests=10_000,
    refusals=100,
    audit_events=100_000,
    audit_million=1_000_000,
    audit_pairs=400,
    list_events=(10_000, 5_000_000),
    list_rounds=15,
    dashboard_pages=15,
    dashboard_beside=60,
)
SHORT = Form(
    slice_seconds=0.7,
    rounds=2,
    most_rounds=3,
    filler=200,
    logins=5,
    starts=1,
    flood_seconds=3,
    flood_bcrypt_rounds=12,
    layer_runs=1,
    layer_requests=300,
    soak_requests=500,
    refusals=10,
    audit_events=3_000,
    audit_million=3_000,
    audit_pairs=40,
    list_events=(10_000, 20_000),
    list_rounds=2,
    dashboard_pages=2,
    dashboard_beside=0,
)


@dataclass(kw_only=True)
class Bench:
    """Servers and data that the figures share; `missed` collects the figures that failed their bar."""

    form: Form
    folder: Path
    postgres: services.Server
    redis: services.Server
    missed: list[str] = field(default_factory=list)

    def set_up(self, stack: ExitStack) -> None:
        """Make and fill both databases, start both servers until `stack` closes."""
        say("databases")
        peer = self.folder / "stock"
        peer.mkdir()
        self.product = self.product_at(CHEAP_ROUNDS)
        self.seeded = self.product.migrate_and_seed(
            "tests.performance.seed", sessions=SESSIONS, filler=self.form.filler
        )
        self.stock = stock(database_url=self.postgres.url, folder=peer)
        self.stock_seeded = self.stock.migrate_and_seed(
            "tests.performance.stock.seed", sessions=SESSIONS, filler=self.form.filler
        )
        say("servers")
        self.product_server = stack.enter_context(serve_product(self.product, probe=LIVE))
        self.stock_server = stack.enter_context(serve_stock(self.stock))

    def product_at(self, bcrypt_rounds: int) -> Project:
        """The product's project at a cost of bcrypt; all share keys and database."""
        return product(
            database_url=self.postgres.url,
            redis_url=self.redis.url,
            folder=self.folder / "product",
            bcrypt_rounds=bcrypt_rounds,
        )

    def show(self, name: str, measured: Any, **facts: Any) -> None:
        """Print a figure."""
        text = line(name, measured, **facts)
        if json.loads(text)["pass"] is False:
            self.missed.append(name)
        print(text, flush=True)


def gets(seeded: dict[str, Any], path: str) -> list[bytes]:
    """GETs of `path` by 24 of the seeded people."""
    return [get(path, token=pair["access"]) for pair in seeded["sessions"][:24]]
