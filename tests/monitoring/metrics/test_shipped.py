"""What we ship for Prometheus and Grafana asks for metrics that exist, and both programs can read it."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any
from unittest import TestCase

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from koshflow.schedule import announce
from monitoring.alerts import RULES
from monitoring.alerts.catalogue.requests import HASHING
from monitoring.alerts.rules import Outage
from monitoring.backups.showing import MAX_AGE
from monitoring.database import flush
from monitoring.database.pool import publish_pool
from monitoring.errors import start_error_flusher
from monitoring.metrics.exposition import Snapshot
from tests.base import ApiTestCase
from tests.factories import asha
from tests.koshflow.servers import ROOT
from tests.monitoring.metrics.counting import CountingMixin

FOLDER = ROOT / "docs" / "deploy" / "prometheus"
_NAME = re.compile(r"\b(?:kf|process)_[a-z0-9_]+\b")
_GROWTH = re.compile(r"\b(?:rate|increase)\((kf_\w+_total)(\{[^}]*\})?")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_ABOVE = re.compile(r" > ([0-9.]+)")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def sample_names(family: Metric) -> set[str]:
    """The names under which its samples stand, also where it has none yet."""
    return {family.name + suffix for suffix in _SUFFIXES[family.type]}


class Shipped(CountingMixin, ApiTestCase):
    """docs/deploy/prometheus."""

    def declared(self) -> set[str]:
        return {name for family in Snapshot().families for name in sample_names(family)}

    # What there is only once there is a witness, a verification, a run of the schedule, or a backup.
    LATER = frozenset(
        {
            "kf_audit_witness_lag_seconds",
            "kf_audit_verification_age_seconds",
            "kf_schedule_last_success_timestamp_seconds",
            "kf_backup_last_success_timestamp_seconds",
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

    # By route, of which there are many; the rule asks for twenty.
    FROM_ONE = frozenset({"kf_db_n_plus_one_total"})

    def test_whatever_grows_stood_at_zero_before(self):
        """A series that begins with one has not grown, whatever it began with: a burst of failures was no growth."""
        self.me(self.log_in(asha())["accessToken"])
        announce()
        flush()
        publish_pool()
        flusher = start_error_flusher()
        flusher.stop(timeout_seconds=30)
        samples = [sample for family in Snapshot().families for sample in family.samples]
        texts = (FOLDER / "rules.yml").read_text(), (FOLDER / "grafana.json").read_text().replace("\\", "")
        asked = {found for text in texts for found in _GROWTH.findall(text)}
        self.assertGreater(len(asked), 20)
        for name, labels in sorted(asked):
            with self.subTest(name, labels=labels):
                wanted = set(_LABEL.findall(labels))
                is_there = any(one.name == name and wanted <= one.labels.items() for one in samples)
                self.assertNotEqual(is_there, name in self.FROM_ONE)


def shipped_rules() -> list[dict[str, Any]]:
    """Each recording rule and each alert of rules.yml."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.embedded
class Likeness(TestCase):
    """An alert of rules.yml that is named for a rule of ours is that rule."""

    # What only Prometheus sees: that it scrapes nothing new, or what another rule of ours tells otherwise.
    ONLY_THERE = frozenset({"SignInsFail", "Unverified", "AlertsUndelivered", "CacheAway"})
    # A threshold that a setting gives stands in /metrics, and not in the file.
    BY_SETTING: Mapping[str, str] = {"BackupLate": MAX_AGE}

    def test_each_has_the_threshold_and_the_severity_of_the_rule_it_is_named_for(self):
        ours = {"".join(map(str.capitalize, rule.name.split("_"))): rule for rule in RULES}
        alerts = {one["alert"].removeprefix("Koshflow"): one for one in shipped_rules() if "alert" in one}
        self.assertEqual(alerts.keys() - ours.keys(), self.ONLY_THERE)
        self.assertGreater(len(alerts), 30)
        for name in alerts.keys() & ours.keys():
            with self.subTest(name):
                rule, alert = ours[name], alerts[name]
                self.assertEqual(alert["labels"]["severity"], rule.severity.value)
                if name in self.BY_SETTING:
                    self.assertTrue(alert["expr"].endswith(f" > on () group_left () max({self.BY_SETTING[name]})"))
                elif isinstance(rule.expression, Outage):
                    self.assertEqual(alert["for"], f"{rule.threshold}s")
                else:
                    above = {float(text) for text in _ABOVE.findall(alert["expr"])}
                    self.assertEqual(above, {round(rule.threshold, 9)})

    def test_busy_is_left_out_in_each_window(self):
        ratios = {one["record"]: one["expr"] for one in shipped_rules() if "errors:ratio" in one.get("record", "")}
        self.assertGreater(len(ratios), 5)
        for name, expression in ratios.items():
            window = f"[{name.rpartition('ratio')[2]}]"
            self.assertEqual((expression.count(window), expression.count("[")), (4, 4), name)
            self.assertEqual(expression.count('- (sum(rate(kf_refusals_total{code="BUSY"}'), 2, name)

    def test_the_same_routes_are_left_out_of_durations(self):
        [durations] = [one["expr"] for one in shipped_rules() if one.get("record") == "koshflow:duration:p95"]
        [routes] = re.findall(r'route!~"([^"]+)"', durations)
        self.assertEqual(routes.split("|"), [route for _, route in HASHING])


@pytest.mark.promtool
class Promtool(ApiTestCase):
    """Prometheus' own checker has nothing to say. Skipped, and told of, where it is not installed."""

    def promtool(self, *what: str, given: str = "") -> None:
        path = shutil.which("promtool")
        done = subprocess.run([str(path), *what], input=given, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr.strip()), (0, ""), done.stdout)

    def test_the_rules(self):
        self.promtool("check", "rules", str(FOLDER / "rules.yml"))

    def test_the_metrics(self):
        self.promtool("check", "metrics", given=Snapshot().text())

    def fires(self, alert: str, *, is_firing: bool, about: Mapping[str, str] | None = None, **series: str) -> None:
        """Whether `alert` fires after 20 minutes of `series`, one value every 15 seconds."""
        [rule] = [one for one in shipped_rules() if one.get("alert") == alert]
        about, summary = about or {}, rule["annotations"]["summary"]
        for label, value in about.items():
            summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
        told = {"exp_labels": rule["labels"] | about, "exp_annotations": {"summary": summary}}
        case = {
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{"eval_time": "20m", "alertname": alert, "exp_alerts": [told] if is_firing else []}],
        }
        document = {"rule_files": [str(FOLDER / "rules.yml")], "evaluation_interval": "15s", "tests": [case]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(document, file)
            file.flush()
            self.promtool("test", "rules", file.name)

    def test_a_tenth_that_fails_is_told_and_a_flood_that_is_refused_as_busy_is_not(self):
        answered = {
            'kf_http_requests_total{status_class="2xx"}': "0+90x80",
            'kf_http_requests_total{status_class="5xx"}': "0+10x80",
        }
        self.fires("KoshflowServerErrors", is_firing=True, **answered)
        self.fires("KoshflowServerErrors", is_firing=False, **answered, **{'kf_refusals_total{code="BUSY"}': "0+10x80"})

    def test_one_event_is_told_for_five_minutes_and_one_of_before_is_not(self):
        for alert, kind in (
            ("KoshflowAdminGranted", "staff.created"),
            ("KoshflowStaffDeviceUnknown", "staff.device_unknown"),
            ("KoshflowChangedPastServices", "record.out_of_band"),
            ("KoshflowRefreshTokenReuse", "refresh_token.reused"),
        ):
            series = f'kf_security_event_last_timestamp_seconds{{kind="{kind}"}}'
            # 20 minutes after Prometheus' own zero: 1000 is three minutes ago, 800 is six.
            self.fires(alert, is_firing=True, **{series: "0x70 1000x10"})
            self.fires(alert, is_firing=False, **{series: "0x50 800x30"})

    def test_the_first_new_failure_is_told(self):
        series = 'kf_error_groups_total{event="new"}'
        self.fires("KoshflowErrorNew", is_firing=True, **{series: "0x70 1x10"})

    def test_a_backup_that_is_late_is_told_by_its_target_once_for_all_hosts(self):
        known = "kf_backup_last_success_timestamp_seconds"
        # Time begins at 0 there and is looked at after 20 minutes: 93,000 seconds before it is 26 hours and more ago.
        nightly = {f'{known}{{target="nightly",instance="{host}"}}': "-93000x80" for host in "ab"}
        young = {f'{known}{{target="files",instance="{host}"}}': "-3600x80" for host in "ab"}
        for hours, is_late in ((26, True), (27, False)):
            bound = {f'{MAX_AGE}{{instance="{host}"}}': f"{hours * 3600}x80" for host in "ab"}
            self.fires("KoshflowBackupLate", is_firing=False, **young, **bound)
            self.fires(
                "KoshflowBackupLate", is_firing=is_late, about={"target": "nightly"}, **nightly, **young, **bound
            )

    def test_slow_answers_are_told_and_slow_sign_ins_are_not(self):
        for route, is_firing in (("/api/auth/me", True), ("/api/auth/login", False)):
            bucket = f'kf_http_request_duration_seconds_bucket{{route="{route}",le='
            series = {f'{bucket}"1.0"}}': "0+0x80", f'{bucket}"2.5"}}': "0+10x80", f'{bucket}"+Inf"}}': "0+10x80"}
            self.fires("KoshflowSlowRequests", is_firing=is_firing, **series)
