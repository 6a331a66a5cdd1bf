"""Limits on requests, as a client meets them."""

from unittest import mock

from django.conf import settings
from django.core.cache import caches
from django.db import OperationalError
from django.test import override_settings
from redis.exceptions import ConnectionError as RedisConnectionError

from security.breaker import breaker
from security.limits import counting, parking
from tests.accounts.registration.test_register import a_registration
from tests.base import ApiTestCase, CommittingApiTestCase
from tests.factories import a_person, asha, bilal

RATES = {"general": "4/15m", "address": "30/15m", "register": "2/1h", "pages": "3/15m"}


@override_settings(RATE_LIMITS=RATES)
class GeneralTier(ApiTestCase):
    """A person may ask so often in a window; then 429 with the seconds to wait, and nothing else happens."""

    def setUp(self):
        super().setUp()
        self.clock = self.stop_the_clock()
        self.asha = asha()
        self.token = self.log_in(self.asha)["accessToken"]

    def use_up(self, token, times=4):
        for _ in range(times):
            self.assertEqual(self.me(token).status_code, 200)

    def test_one_more_than_the_limit_is_refused(self):
        self.use_up(self.token)
        refused = self.me(self.token)
        self.assertProblem(refused, 429, "RATE_LIMITED")
        self.assertTrue(1 <= int(refused["Retry-After"]) <= 900)

    def test_each_answer_says_what_is_left(self):
        answers = [self.me(self.token) for _ in range(5)]
        self.assertEqual({a["RateLimit-Policy"] for a in answers}, {'"general";q=4;w=900'})
        left = [a["RateLimit"].partition(";t=")[0] for a in answers]
        self.assertEqual(left, [f'"general";r={n}' for n in (3, 2, 1, 0, 0)])
        self.assertEqual(answers[-1]["RateLimit"].partition(";t=")[2], answers[-1]["Retry-After"])

    def test_the_window_ends_when_it_said(self):
        self.use_up(self.token)
        wait = int(self.me(self.token)["Retry-After"])
        self.clock.advance(seconds=wait - 1)
        self.assertProblem(self.me(self.token), 429, "RATE_LIMITED")
        self.clock.advance(seconds=1)
        token = self.log_in(self.asha)["accessToken"]
        self.assertEqual(self.me(token).status_code, 200)

    def test_all_sessions_of_a_person_count_together(self):
        other = self.log_in(self.asha)["accessToken"]
        self.use_up(self.token)
        self.assertProblem(self.me(other), 429, "RATE_LIMITED")

    def test_a_colleague_at_the_same_address_is_not_limited_by_it(self):
        token = self.log_in(bilal(company=self.asha.company))["accessToken"]
        self.use_up(self.token)
        self.use_up(token)

    def test_a_forged_token_counts_against_the_address(self):
        for _ in range(4):
            self.assertEqual(self.me("no.such.token").status_code, 401)
        self.assertProblem(self.me("another.forged.token"), 429, "RATE_LIMITED")
        self.use_up(self.token)

    def test_a_token_whose_session_was_ended_spends_nothing_of_its_owner(self):
        stolen = self.log_in(self.asha)["accessToken"]
        self.post("/api/auth/logout", token=stolen)  # one of four
        for _ in range(6):
            self.assertIn(self.me(stolen).status_code, (401, 429))
        self.use_up(self.token, times=3)

    def test_another_site_spends_nothing_of_its_visitors(self):
        for _ in range(6):
            forged = self.get("/api/auth/me", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
            self.assertProblem(forged, 403, "CSRF_FAILED")
        listed = {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.in"}
        self.assertProblem(self.get("/api/auth/me", headers=listed), 401, "NO_TOKEN")

    def test_a_header_that_claims_another_address_changes_nothing(self):
        for number in range(4):
            self.get("/api/auth/me", headers={"X-Forwarded-For": f"192.0.2.{number}"})
        refused = self.get("/api/auth/me", headers={"X-Forwarded-For": "192.0.2.99"})
        self.assertProblem(refused, 429, "RATE_LIMITED")

    def test_a_refusal_writes_one_event_a_minute_and_changes_nothing(self):
        self.use_up(self.token)
        for _ in range(3):
            self.assertProblem(
                self.send("patch", "/api/auth/me", {"name": "Mallory"}, token=self.token), 429, "RATE_LIMITED"
            )
        self.assertAudited("request.rate_refused")
        self.asha.refresh_from_db()
        self.assertNotEqual(self.asha.name, "Mallory")

    def test_a_refusal_that_cannot_be_marked_is_503(self):
        self.use_up(self.token)
        with mock.patch("security.limits.services.record_refusal", side_effect=OperationalError("away")):
            refused = self.me(self.token)
        self.assertProblem(refused, 503, "SERVICE_UNAVAILABLE")
        self.assertIn("Retry-After", refused.headers)

    def test_the_refusal_can_be_read_from_a_web_page(self):
        self.use_up(self.token)
        refused = self.get("/api/auth/me", token=self.token, headers={"Origin": "https://app.example.in"})
        self.assertEqual(refused.status_code, 429)
        self.assertEqual(refused["Access-Control-Allow-Origin"], "https://app.example.in")
        self.assertIn("RateLimit", refused["Access-Control-Expose-Headers"])


@override_settings(RATE_LIMITS=RATES)
class OtherTiers(ApiTestCase):
    """Each route counts against the tiers of the table, and no other."""

    def setUp(self):
        super().setUp()
        self.stop_the_clock()  # a window may end at any second

    def test_an_address_is_limited_widely_whoever_asks(self):
        tokens = [self.log_in(a_person())["accessToken"] for _ in range(4)]
        statuses = [self.me(tokens[n % 4]).status_code for n in range(16)]
        self.assertEqual(set(statuses), {200})
        with override_settings(RATE_LIMITS=RATES | {"address": "1/15m"}):
            self.assertEqual(self.get("/api-docs").status_code, 200)
            refused = self.get("/api-docs")
        self.assertProblem(refused, 429, "RATE_LIMITED")

    def test_registrations_are_counted_by_address(self):
        statuses = [self.post("/api/auth/register", a_registration()).status_code for _ in range(2)]
        self.assertEqual(statuses, [201, 409])
        refused = self.post("/api/auth/register", a_registration())
        self.assertProblem(refused, 429, "RATE_LIMITED")
        self.assertEqual(refused["RateLimit-Policy"], '"register";q=2;w=3600')

    def test_sign_in_and_refresh_are_not_hindered_by_neighbours(self):
        for _ in range(9):
            self.get("/api/auth/me")
        self.assertProblem(self.get("/api/auth/me"), 429, "RATE_LIMITED")
        pair = self.log_in(asha())
        for _ in range(6):
            answer = self.refresh(pair["refreshToken"])
            self.assertEqual(answer.status_code, 200)
            pair = answer.json()

    def test_probes_static_files_and_preflights_are_never_limited(self):
        for _ in range(40):
            self.assertEqual(self.get("/health/live").status_code, 200)
            preflight = self.client.options(
                "/api/auth/me",
                headers={"Origin": "https://app.example.in", "Access-Control-Request-Method": "GET"},
            )
            self.assertEqual(preflight.status_code, 200)
            self.assertNotIn("RateLimit", preflight.headers)

    def test_options_that_is_no_preflight_counts(self):
        statuses = [self.client.options("/api/auth/me").status_code for _ in range(5)]
        self.assertEqual(statuses[-1], 429)

    def test_pages_have_a_tier_of_their_own(self):
        for _ in range(3):
            self.assertEqual(self.get("/").status_code, 200)
        self.assertEqual(self.get("/").status_code, 429)
        self.assertEqual(self.get("/api/auth/me").status_code, 401)


@override_settings(RATE_LIMITS=RATES | {"general": "100/15m", "address": "1000/15m"})
class Exactly(CommittingApiTestCase):
    """No number of callers at once gets more than the limit (R7)."""

    def setUp(self):
        super().setUp()
        self.stop_the_clock()

    def test_two_hundred_at_once_at_limit_one_hundred(self):
        from django.test import Client

        token = self.log_in(asha())["accessToken"]
        answers = self.in_parallel(
            20,
            lambda _: [
                Client().get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code
                for _ in range(10)
            ],
        )
        statuses = [status for of_one in answers for status in of_one]
        self.assertEqual((statuses.count(200), statuses.count(429)), (100, 100))


@override_settings(RATE_LIMITS=RATES | {"general": "8/15m"}, SLOW_DOWN=True, WEB_THREADS=8)
class SlowDown(ApiTestCase):
    """From half of the limit on, answers are held back a little; never many at once, and never for long."""

    def setUp(self):
        super().setUp()
        self.stop_the_clock()
        self.token = self.log_in(asha())["accessToken"]
        sleep = mock.patch.object(parking.time, "sleep")
        self.sleep = sleep.start()
        self.addCleanup(sleep.stop)

    def waits(self):
        return [call.args[0] for call in self.sleep.call_args_list]

    def test_the_wait_grows_with_each_request(self):
        for _ in range(7):
            self.me(self.token)
        self.assertEqual(self.waits(), [0.01, 0.02, 0.03])

    def test_half_a_second_is_the_longest(self):
        with override_settings(RATE_LIMITS=RATES | {"general": "200/15m", "address": "200/15m"}):
            for _ in range(160):
                self.me(self.token)
        self.assertEqual(max(self.waits()), 0.5)

    def nested(self, *tokens):
        """What each of `tokens` is answered while the answer before it is held back."""
        waiting, answers = list(tokens), []

        def ask(_):
            if waiting:
                answers.append(self.me(waiting.pop(0)))

        self.sleep.side_effect = ask
        self.me(self.token)
        return answers

    def test_who_comes_again_meanwhile_is_told_to_wait(self):
        for _ in range(4):
            self.me(self.token)
        (refused,) = self.nested(self.token)
        self.assertProblem(refused, 429, "RATE_LIMITED")
        self.assertLessEqual(int(refused["Retry-After"]), 10)

    def test_strangers_who_have_all_the_places_decide_for_nobody(self):
        tokens = [self.token, *(self.log_in(a_person())["accessToken"] for _ in range(3))]
        for token in tokens:
            for _ in range(4):
                self.me(token)
        answers = self.nested(*tokens[1:])
        self.assertEqual([answer.status_code for answer in answers], [200, 200])
        self.assertEqual(len(self.waits()), 2)  # a quarter of eight threads; the third was not held back


@override_settings(RATE_LIMITS=RATES, WEB_WORKERS=2, IS_CACHE_SHARED=True)
class RedisAway(ApiTestCase):
    """While Redis is away each process allows its share, and nothing answers 5xx."""

    def setUp(self):
        super().setUp()
        self.stop_the_clock()
        broken = mock.patch.object(counting.shared_counters, "count", side_effect=RedisConnectionError)
        self.count = broken.start()
        self.addCleanup(broken.stop)
        self.addCleanup(breaker.succeeded)

    def test_a_process_allows_its_share(self):
        token = self.log_in(asha())["accessToken"]
        self.assertEqual([self.me(token).status_code for _ in range(3)], [200, 200, 429])

    def test_it_goes_on_from_its_share_of_what_was_counted_together(self):
        token = self.log_in(asha())["accessToken"]
        self.count.side_effect = [[3, 3], [4, 4], RedisConnectionError]
        self.assertEqual([self.me(token).status_code for _ in range(3)], [200, 200, 429])

    def test_after_three_errors_it_is_not_asked_for_a_while(self):
        for _ in range(6):
            self.get("/api/auth/me")
        self.assertEqual(self.count.call_count, 3)


class Collecting(ApiTestCase):
    """The cache given to django-ratelimit counts nothing by itself, and says so to whoever expects it to."""

    def test_it_is_no_store(self):
        with self.assertRaises(AttributeError):
            caches["counters"].add("key", 1, 60)
        with self.assertRaises(NotImplementedError):
            caches["counters"].incr("key")

    def test_settings_name_a_rate_for_each_tier(self):
        self.assertEqual(set(settings.RATE_LIMITS), {"general", "address", "register", "pages"})
