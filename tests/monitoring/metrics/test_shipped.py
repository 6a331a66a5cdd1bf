"""What we ship for Prometheus and Grafana asks for metrics that exist, and both programs can read it."""

import json
import re
import shutil
import subprocess

import pytest
from prometheus_client.metrics_core import Metric

from monitoring.metrics.exposition import Snapshot
from tests.base import ApiTestCase
from tests.koshflow.servers import ROOT

FOLDER = ROOT / "docs" / "deploy" / "prometheus"
_NAME = re.compile(r"\b(?:kf|process)_[a-z0-9_]+\b")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def sample_names(family: Metric) -> set[str]:
    """The names under which its samples stand, also where it has none yet."""
    return {family.name + suffix for suffix in _SUFFIXES[family.type]}


class Shipped(ApiTestCase):
    """docs/deploy/prometheus."""

    def declared(self) -> set[str]:
        return {name for family in Snapshot().families for name in sample_names(family)}

    # What there is only once there is a witness, a verification, or a run of the schedule.
    LATER = frozenset(
        {
            "kf_audit_witness_lag_seconds",
            "kf_audit_verification_age_seconds",
            "kf_schedule_last_success_timestamp_seconds",
        }
    )

    def test_rules_ask_for_metrics_that_exist(self):
        asked = set(_NAME.findall((FOLDER / "rules.yml").read_text()))
        self.assertGreater(len(asked), 15)
        self.assertEqual(asked - self.declared() - self.LATER, set())

    def test_panels_do_too(self):
        panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
        asked = {name for panel in panels for target in panel["targets"] for name in _NAME.findall(target["expr"])}
        self.assertGreater(len(asked), 15)
        self.assertEqual(asked - self.declared() - self.LATER, set())
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))


@pytest.mark.promtool
class Promtool(ApiTestCase):
    """Prometheus' own checker has nothing to say. Skipped, and told of, where it is not installed."""

    def check(self, *what: str, given: str = "") -> None:
        path = shutil.which("promtool")
        done = subprocess.run([str(path), "check", *what], input=given, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr.strip()), (0, ""), done.stdout)

    def test_the_rules(self):
        self.check("rules", str(FOLDER / "rules.yml"))

    def test_the_metrics(self):
        self.check("metrics", given=Snapshot().text())
