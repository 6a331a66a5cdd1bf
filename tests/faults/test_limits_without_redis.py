"""Redis killed in the middle of a storm of wrong passwords: no store that comes or goes grants one more try."""

import threading
from collections import Counter

import pytest
import redis

from tests.faults.client import Client
from tests.faults.counted import hashes
from tests.faults.crowd import at_once, guess
from tests.faults.form import LONG, TIMEOUT_SECONDS, report, sized
from tests.faults.limited import CALLERS, ELSEWHERE, LIMIT, LOCK, OFFICE, STORM, WORKERS, WRONG, LimitsCase
from tests.faults.stand import RealCase
from tests.faults.traffic import ME
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(TIMEOUT_SECONDS)]

ACCOUNTS = sized(3, 12)
STORMERS, GUESSES = sized(24, 50), 4
CALLS_OF_A_COLLEAGUE = 12  # below one process's share of the limit
CALLS_OF_A_FLOODER = sized(160, 800)


class RedisKilledInTheMiddle(LimitsCase, RealCase):
    """Checks of passwords are counted in the database, calls by each process: nobody hears a 5xx, no limit opens."""

    def environment(self):
        return {"WEB_WORKERS": str(WORKERS), "SLOW_DOWN": "0"}

    def test_a_lock_outlives_it_and_each_process_allows_its_share_of_calls(self):
        people, colleagues = self.stand.people(ACCOUNTS), self.stand.people(3)
        flooder, _ = self.person_early_in_a_window(number=OFFICE)
        hashed, events = hashes(self.project), self.refusals()
        for person in people:  # three stand already when Redis dies
            self.assertEqual(self.codes([person] * 3, WRONG), ["INVALID_CREDENTIALS"] * 3)
        told = self.storm(people, colleagues, strike=self.stand.redis.kill)
        flooded = self.use_up(flooder, number=OFFICE, calls=CALLS_OF_A_FLOODER)
        locked = self.codes(people, people[0].password)
        self.stand.redis.start()
        told_later = self.storm(people, colleagues, strike=lambda: None)
        if LONG:  # and once more when the workers have noticed
            until(self.redis_counts, seconds=30, what="counters in Redis")
            told_later += self.storm(people, colleagues, strike=lambda: None)
        locked += self.codes(people, people[0].password)
        hashed, events = hashes(self.project) - hashed, self.refusals() - events

        evaluated = Counter(who for who, code in told if code == "INVALID_CREDENTIALS")
        of_each = sorted(3 + evaluated[person.email] for person in people)
        later = Counter(code for who, code in told_later if who)
        odd = {code for _, code in told + told_later} - {"200", "INVALID_CREDENTIALS", "ACCOUNT_LOCKED"}
        statuses = Counter(a.status for a in flooded)
        share = LIMIT // WORKERS
        wanted = LOCK * ACCOUNTS
        report(
            "B21 kill -9 Redis under wrong passwords",
            load=f"{ACCOUNTS} accounts, {len(told) + len(told_later)} requests in storms of {STORMERS} clients,"
            f" {CALLS_OF_A_FLOODER} calls of one person in {CALLERS} threads, {WORKERS} workers",
            measured={
                "evaluated_of_each": of_each,
                "hashed": hashed,
                "events": events,
                "after_its_return": later,
                "right_passwords": Counter(locked),
                "odd": sorted(odd),
                "flooder": statuses,
            },
            bar=f"{LOCK} of each evaluated, hashed and recorded, then ACCOUNT_LOCKED; 0 x 5xx;"
            f" flooder {share} to {LIMIT} x 200, else 429",
            is_passed=of_each == [LOCK] * ACCOUNTS
            and hashed == events == wanted
            and set(later) == set(locked) == {"ACCOUNT_LOCKED"}
            and not odd
            and share <= statuses[200] <= LIMIT
            and set(statuses) == {200, 429},
        )
        self.assertEqual((of_each, hashed, events), ([LOCK] * ACCOUNTS, wanted, wanted))
        self.assertEqual((set(later), set(locked), odd), ({"ACCOUNT_LOCKED"}, {"ACCOUNT_LOCKED"}, set()))
        self.assertTrue(share <= statuses[200] <= LIMIT, statuses)
        self.assertEqual(set(statuses), {200, 429})
        self.assertEqual({a.headers["ratelimit-policy"] for a in flooded}, {f'"general";q={share};w=900'})
        owner = self.guess(people[0], people[0].password, number=ELSEWHERE, guesser=self.guessers[0])
        self.assertEqual(owner.status, 200)

    def codes(self, people, password):
        """Codes of the answers to `password` from where the storm comes, each on a fresh connection."""
        answers = [
            self.guess(p, password, number=STORM, guesser=g) for p, g in zip(people, self.guessers, strict=False)
        ]
        return [answer.code or str(answer.status) for answer in answers]

    def storm(self, people, colleagues, *, strike):
        """Wrong passwords for everybody beside calls of colleagues, and `strike` after a third of the answers.

        For each answer the account that was guessed at, "" for a colleague's call, and its code or status.
        """
        told, is_time = [], threading.Event()

        def tell(who, answer):
            told.append((who, answer.code or answer.error or str(answer.status)))
            if len(told) >= STORMERS * GUESSES // 3:
                is_time.set()

        def guesses(number):
            with Client(self.server.port, number=STORM, forges=True) as client:
                for turn in range(GUESSES):
                    person = people[(number + turn) % len(people)]
                    tell(person.email, guess(client, person, WRONG, token=self.guessers[number].access))

        def calls(colleague):
            with Client(self.server.port, number=STORM, forges=True) as client:
                for _ in range(CALLS_OF_A_COLLEAGUE):
                    tell("", client.get(ME, token=colleague.access))

        def strikes():
            if is_time.wait(30):
                strike()

        at_once(
            [
                strikes,
                *(lambda n=number: guesses(n) for number in range(STORMERS)),
                *(lambda c=colleague: calls(c) for colleague in colleagues),
            ]
        )
        self.assertTrue(is_time.is_set())
        return told

    def refusals(self):
        return self.stand.query("SELECT count(*) FROM audit_event WHERE type = 'session.create_refused'")[0][0]

    def redis_counts(self):
        """Whether a call was counted in Redis, which came back empty."""
        self.ask(self.guessers[-1], number=ELSEWHERE)
        with redis.Redis.from_url(self.stand.redis.url) as store:
            return store.dbsize() > 0
