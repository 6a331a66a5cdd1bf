"""The probes as a balancer, an operator and a stranger meet them."""

from datetime import UTC, datetime
from unittest.mock import patch

from django.contrib.auth.models import AnonymousUser
from django.test import override_settings

from monitoring.health.board import Board
from monitoring.health.readings import Reading, Status
from monitoring.health.watcher import Watcher
from tests.base import ApiMixin, ApiTestCase, CommittingApiTestCase
from tests.factories import a_person, asha
from tests.monitoring.health.test_watcher import FakeProbe, probe_threads

TOKEN = "operator-" + "t" * 40
PROBES = ("/health", "/health/ready")


def a_watcher(name: str, status: Status, *, is_required: bool) -> Watcher:
    reading = Reading(name, status, datetime.now(UTC), is_required=is_required, value=1.5, unit="ms")
    return Watcher(lambda: [reading], overdue=(name, is_required))


class HealthMixin(ApiMixin):
    """Sets what the probes find."""

    def setUp(self):
        super().setUp()
        self.find()

    def find(self, *, database=Status.PASS, cache=Status.PASS, disk=Status.PASS):
        self.use(
            Board(
                {
                    "database": a_watcher("database:responseTime", database, is_required=True),
                    "cache": a_watcher("cache:responseTime", cache, is_required=False),
                    "disk": a_watcher("disk:free", disk, is_required=False),
                }
            )
        )

    def use(self, board):
        for module in ("monitoring.health.views", "monitoring.operators", "monitoring.metrics.exposition"):
            patcher = patch(f"{module}.board", board)
            patcher.start()
            self.addCleanup(patcher.stop)


class Ready(HealthMixin, ApiTestCase):
    """/health and /health/ready say whether this process can serve, and nothing else."""

    def test_its_three_members_and_no_more(self):
        for path in PROBES:
            response = self.get(path)
            self.assertEqual(response.status_code, 200)
            self.assertEqual(response.headers["Content-Type"], "application/json")
            self.assertEqual(response.headers["Cache-Control"], "no-store")
            body = response.json()
            self.assertEqual(set(body), {"status", "timestamp", "uptime"})
            self.assertEqual(body["status"], "ok")
            self.assertRegex(body["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertGreaterEqual(body["uptime"], 0)

    def test_without_a_cache_or_with_a_full_disk_it_is_degraded_and_serves(self):
        for fault in ({"cache": Status.FAIL}, {"disk": Status.WARN}):
            self.find(**fault)
            for path in PROBES:
                response = self.get(path)
                self.assertEqual((response.status_code, response.json()["status"]), (200, "degraded"))
                self.assertNotIn("Retry-After", response.headers)

    def test_without_a_database_it_is_unavailable(self):
        self.find(database=Status.FAIL)
        for path in PROBES:
            response = self.get(path)
            self.assertEqual((response.status_code, response.json()["status"]), (503, "unavailable"))
            self.assertEqual(set(response.json()), {"status", "timestamp", "uptime"})
            self.assertEqual(response.headers["Retry-After"], "2")

    def test_it_touches_no_database_and_sets_no_cookie(self):
        with self.assertNumQueries(0):
            response = self.get("/health", headers={"Authorization": "Bearer stale", "Cookie": "sessionid=x"})
        self.assertEqual(response.status_code, 200)
        self.assertFalse(response.cookies)

    def test_a_probes_host_and_accept_headers_do_not_matter(self):
        for headers in ({"Host": "10.0.0.7:8000"}, {"Host": "evil.example"}, {"Accept": "text/plain"}, {"Accept": "x"}):
            for path in (*PROBES, "/health/live"):
                response = self.get(path, headers=headers)
                self.assertEqual((response.status_code, response.headers["Content-Type"]), (200, "application/json"))

    def test_the_drafts_media_type_comes_when_asked_for(self):
        response = self.get("/health", headers={"Accept": "application/health+json"})
        self.assertEqual(response.headers["Content-Type"], "application/health+json")

    def test_head_has_no_body_and_other_methods_are_405(self):
        response = self.client.head("/health")
        self.assertEqual((response.status_code, response.content), (200, b""))
        for method in ("post", "put", "patch", "delete", "options"):
            response = self.send(method, "/health")
            self.assertProblem(response, 405, "METHOD_NOT_ALLOWED")
            self.assertEqual(response.headers["Allow"], "GET, HEAD")


class Live(HealthMixin, ApiTestCase):
    """/health/live looks at the process alone: restarting it mends no database."""

    def test_it_is_ok_while_everything_else_is_away(self):
        self.find(database=Status.FAIL, cache=Status.FAIL)
        with self.assertNumQueries(0):
            response = self.get("/health/live")
        self.assertEqual((response.status_code, response.json()), (200, {"status": "ok"}))


class FrozenDatabase(HealthMixin, ApiTestCase):
    """A database that hangs holds no request: 503 after the deadline, at once from then on, one thread in all."""

    def setUp(self):
        super().setUp()
        self.now = 1000.0
        self.probe = FakeProbe()
        self.probe.freeze()
        self.addCleanup(self.probe.thaw)
        self.watch(deadline_seconds=0.05)

    def watch(self, *, deadline_seconds):
        watcher = Watcher(
            self.probe,
            overdue=("database:responseTime", True),
            deadline_seconds=deadline_seconds,
            clock=lambda: self.now,
        )
        self.use(Board({"database": watcher}))
        return watcher

    def test_ready_is_503_and_live_is_200(self):
        self.assertEqual(self.get("/health/ready").status_code, 503)
        self.now += 1
        for _ in range(50):
            self.assertEqual(self.get("/health").status_code, 503)
        self.assertEqual(self.get("/health/live").status_code, 200)
        self.assertTrue(self.probe.was_asked.wait(30))
        self.assertEqual((self.probe.runs, len(probe_threads())), (1, 1))

    @override_settings(OPERATOR_TOKEN=TOKEN)
    def test_the_operators_token_reads_what_hangs(self):
        response = self.get("/health/detailed", token=TOKEN)
        self.assertEqual(response.status_code, 503)
        (check,) = response.json()["checks"]["database:responseTime"]
        self.assertEqual((check["status"], check["output"]), ("fail", "no answer within 0.05 s"))

    def test_a_session_is_not_looked_up(self):
        self.client.cookies["sessionid"] = "x" * 32
        with self.assertNumQueries(0):
            self.assertProblem(self.get("/health/detailed"), 503, "SERVICE_UNAVAILABLE")

    def test_it_recovers_by_itself(self):
        # A deadline within which the second run ends on any machine; the clock leaves the first one behind it.
        self.watch(deadline_seconds=30.0).refresh()
        self.now += 42
        self.assertEqual(self.get("/health").json()["status"], "unavailable")
        self.probe.thaw()
        self.assertEqual(self.get("/health").json()["status"], "ok")


class Storm(HealthMixin, CommittingApiTestCase):
    """The probe is no way to attack: any number of calls at one moment is one run."""

    def test_two_hundred_at_once(self):
        probe = FakeProbe()
        self.addCleanup(probe.thaw)
        # A long deadline: two hundred threads on a small machine may starve the probe's own. A clock that stands: they
        # may also take longer than an answer is kept.
        watcher = Watcher(probe, overdue=("database:responseTime", True), deadline_seconds=30.0, clock=lambda: 1000.0)
        self.use(Board({"database": watcher}))
        answers = self.in_parallel(200, lambda _: self.client_class().get("/health").status_code)
        self.assertEqual(set(answers), {200})
        self.assertEqual(probe.runs, 1)


class RealProbes(CommittingApiTestCase):
    """The probes that the product ships, on this leg's database and cache."""

    def test_the_first_request_is_answered(self):
        with patch("monitoring.health.probes.MigrationExecutor.migration_plan", return_value=[]):
            from monitoring.health import board

            board.forget()
            self.addCleanup(board.forget)
            for watcher in board._watchers.values():  # no bar on the time of a busy machine
                self.enterContext(patch.object(watcher, "deadline_seconds", 30.0))
            self.assertIn(self.get("/health").json()["status"], ("ok", "degraded"))
        for thread in probe_threads():
            thread.join(timeout=10)


@override_settings(OPERATOR_TOKEN=TOKEN, OPERATOR_NETWORKS=[])
class Restricted(HealthMixin, ApiTestCase):
    """/health/detailed and /metrics are for operators: by token, by network, or as staff with a second factor."""

    PATHS = ("/health/detailed", "/metrics")

    def as_user(self, user, *, is_verified=True):
        """A staff session as the page middlewares present it."""
        user.is_verified = lambda: is_verified
        self.client.cookies["sessionid"] = "x" * 32
        patcher = patch("accounts.staff.middleware.StaffPagesMiddleware.__call__", autospec=True)
        present = patcher.start()
        self.addCleanup(patcher.stop)

        def call(middleware, request):
            request.user = user
            return middleware.get_response(request)

        present.side_effect = call

    def assertBoth(self, status, code="", **extra):
        for path in self.PATHS:
            response = self.get(path, **extra)
            if code:
                self.assertProblem(response, status, code)
            else:
                self.assertEqual(response.status_code, status, response.content)

    def test_a_stranger_is_refused_with_a_challenge(self):
        self.assertBoth(401, "NO_TOKEN")
        self.assertEqual(self.get("/metrics").headers["WWW-Authenticate"], 'Bearer realm="koshflow"')

    def test_the_refusal_names_what_opens_these_doors_and_no_token_of_the_api(self):
        self.as_user(AnonymousUser())
        nobody = [self.get(path).json()["detail"] for path in self.PATHS]
        self.client.cookies.clear()
        for said in (*nobody, *(self.get(path).json()["detail"] for path in self.PATHS)):
            for way in ("operator token as Authorization: Bearer", "sign in to the admin as staff", "network"):
                self.assertIn(way, said)
            self.assertNotIn("access token", said)
        refused = self.get("/metrics", token=self.log_in(asha())["accessToken"]).json()["detail"]
        self.assertEqual(refused, "This is not the operator token.")

    def test_the_token_opens(self):
        self.assertBoth(200, token=TOKEN)

    def test_a_wrong_token_does_not(self):
        for wrong in (TOKEN[:-1], TOKEN + "x", "", "é"):
            self.assertBoth(401, "TOKEN_INVALID", headers={"Authorization": f"Bearer {wrong}"})
        self.assertAudited("access_token.refused")  # one a client and minute

    def test_an_unset_token_matches_nothing(self):
        with override_settings(OPERATOR_TOKEN=""):
            self.assertBoth(401, "TOKEN_INVALID", headers={"Authorization": "Bearer "})

    def test_a_person_of_the_api_is_not_an_operator(self):
        self.assertBoth(401, "TOKEN_INVALID", token=self.log_in(asha())["accessToken"])

    def test_a_listed_network_opens_and_its_neighbour_does_not(self):
        with override_settings(OPERATOR_NETWORKS=["192.0.2.0/24", "2001:db8::/32"]):
            self.assertBoth(200, REMOTE_ADDR="192.0.2.9")
            self.assertBoth(200, REMOTE_ADDR="2001:db8::9")
            self.assertBoth(401, "NO_TOKEN", REMOTE_ADDR="192.0.3.9")
            self.assertBoth(401, "NO_TOKEN", REMOTE_ADDR="192.0.3.9", headers={"X-Forwarded-For": "192.0.2.9"})

    def test_verified_staff_is_let_in(self):
        self.as_user(a_person(role=None))
        self.assertBoth(200)

    def test_staff_without_the_second_factor_is_not(self):
        omar = a_person(role=None)
        self.as_user(omar, is_verified=False)
        self.assertBoth(403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=2, actor=omar)

    def test_a_signed_in_person_who_is_not_staff_is_not(self):
        self.as_user(asha())
        self.assertBoth(403, "INSUFFICIENT_PERMISSIONS")

    def test_a_session_of_nobody_is_not(self):
        self.as_user(AnonymousUser())
        self.assertBoth(401, "NO_TOKEN")

    def test_the_details(self):
        self.find(cache=Status.FAIL)
        body = self.get("/health/detailed", token=TOKEN).json()
        self.assertEqual(set(body), {"status", "timestamp", "uptime", "version", "checks"})
        self.assertEqual(body["status"], "degraded")
        self.assertEqual(set(body["checks"]), {"database:responseTime", "cache:responseTime", "disk:free"})
        (check,) = body["checks"]["database:responseTime"]
        self.assertEqual((check["status"], check["observedValue"], check["observedUnit"]), ("pass", 1.5, "ms"))
        self.assertTrue(check["time"].endswith("Z"))
