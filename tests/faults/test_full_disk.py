"""The disk of a laptop is full: what is asked is answered, what would be written is refused, and it is told."""

import json
import shutil
import time

import pytest
from django.db import connection

from monitoring.health.probes import DISK
from tests.base import CommittingApiTestCase
from tests.factories import asha
from tests.faults.client import Client
from tests.faults.form import LONG, TIMEOUT_SECONDS, report
from tests.faults.small_disk import fill, small_disk
from tests.faults.stand import EmbeddedCase
from tests.monitoring.channels.receiver import SECRETS, Receiver
from tests.waiting import until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(TIMEOUT_SECONDS)]

ME = "/api/auth/me"
OPERATOR = "o" * 48
DISK_KIB = 64 * 1024


class FullDatabase(CommittingApiTestCase):
    """SQLite takes no page more: the act and its event are refused together, with a 503 to come back from."""

    def allow_pages(self, most: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA max_page_count = {most}")

    def fill(self) -> None:
        """To the last byte of the last page."""
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS ballast (text BLOB)")
            self.addCleanup(self.empty)
            cursor.execute("PRAGMA page_count")
            self.allow_pages(cursor.fetchone()[0])
            for size in (4000, 100, 1):
                try:
                    while True:
                        cursor.execute("INSERT INTO ballast VALUES (zeroblob(%s))", [size])
                except Exception as full:  # noqa: BLE001 - Django's class of it is not what this is about
                    self.assertIn("full", str(full))

    def empty(self) -> None:
        self.allow_pages(2**30)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS ballast")

    def test_acts_are_done_whole_or_refused_and_done_again_once_there_is_room(self):
        person = asha()
        token = self.log_in(person)["accessToken"]
        self.fill()
        done, refused = [person.name], 0
        for number in range(100):  # pages that were begun before still have some room
            name = f"Asha {number}"
            answer = self.send("patch", ME, {"name": name}, token=token)
            if answer.status_code == 200:
                done.append(name)
                continue
            self.assertProblem(answer, 503, "SERVICE_UNAVAILABLE")
            self.assertTrue(answer["Retry-After"].isdigit())
            self.assertEqual(self.me(token).json()["user"]["name"], done[-1])
            refused += 1
            if refused == 5:
                break
        self.assertEqual(refused, 5)
        self.assertAudited("profile.updated", times=len(done) - 1)
        self.empty()
        self.assertEqual(self.send("patch", ME, {"name": "Asha R"}, token=token).status_code, 200)
        self.assertAudited("profile.updated", times=len(done), actor=person)


@pytest.mark.skipif(not LONG, reason="two minutes, most of it waiting for alerts: KOSHFLOW_FAULTS=long")
class FullDisk(EmbeddedCase):
    """The data folder's disk fills up under a running server: database, log files and counters lie on it."""

    def setUp(self):
        super().setUp()
        self.folder = self.stand.project.folder.parent / "small"
        self.enterContext(small_disk(self.folder, kib=DISK_KIB))
        shutil.copytree(self.stand.project.folder, self.folder, dirs_exist_ok=True)
        self.receiver = self.enterContext(Receiver())
        self.project = self.stand.with_environment(
            KOSHFLOW_DATA_DIR=str(self.folder),
            LOG_DIR=str(self.folder / "logs"),
            OPERATOR_TOKEN=OPERATOR,
            ALERT_WEBHOOK_URL=self.receiver.url,
            ALERT_WEBHOOK_SECRETS=SECRETS[0],
            ALERT_PRIVATE_NETWORKS="127.0.0.0/8",
        )
        self.ballast = self.folder / "ballast"

    def heard(self, rule: str, status: str = "firing") -> float:
        """Seconds until the webhook has this rule."""
        began = time.monotonic()
        until(lambda: (rule, status) in self.told(), seconds=120, what=f"{rule} {status}")
        return round(time.monotonic() - began, 1)

    def told(self) -> set[tuple[str, str]]:
        documents = [got.document for got in list(self.receiver.got)]
        return {(alert["rule"], alert["status"]) for one in documents for alert in one["data"]["alerts"]}

    def disk(self, client: Client) -> str:
        """Status of the reading, and of all of them."""
        document = client.get("/health/detailed", token=OPERATOR).document
        return f"{document['checks'][DISK[0]][0]['status']}, {document['status']}"

    def test_it_is_told_before_and_while_and_nothing_is_half_done(self):
        server = self.serve(self.project)
        client, person = self.enterContext(Client(server.port)), self.stand.people(1)[0]
        rename = lambda name: client.patch(ME, {"name": name}, token=person.access)  # noqa: E731
        self.assertEqual((self.disk(client), rename("Before").status), ("pass, ok", 200))
        workers = server.workers

        fill(self.ballast, leave_bytes=DISK_KIB * 1024 // 33)
        almost = self.heard("disk_almost_full")
        self.assertEqual(self.disk(client), "warn, degraded")
        self.assertEqual(rename("Almost full").status, 200)

        fill(self.ballast)
        until(lambda: rename("Full").status != 200, seconds=10, what="the end of the room that SQLite had left")
        began = time.monotonic()
        while time.monotonic() - began < 20:
            refused = [rename("Full"), client.post("/api/auth/login", {"email": person.email, "password": "Wrong-1"})]
            self.assertTrue(all(answer.is_come_back for answer in refused), refused)
            self.assertEqual(client.get(ME, token=person.access).status, 200)
            for probe in ("/health", "/health/ready"):
                answer = client.get(probe)
                self.assertEqual((answer.status, answer.document["status"]), (200, "degraded"))
            self.assertEqual(client.get("/health/live").document, {"status": "ok"})
            self.assertEqual(client.get("/metrics", token=OPERATOR).status, 200)
            time.sleep(0.2)
        unreachable = self.heard("database_unreachable")

        self.ballast.unlink()
        name = client.get(ME, token=person.access).document["user"]["name"]
        self.assertIn(name, ("Almost full", "Full"))  # the last that was acknowledged
        until(lambda: rename("After").status == 200, seconds=10, what="an act that is taken again")
        self.heard("database_unreachable", "resolved")
        until(lambda: self.disk(client) == "pass, ok", seconds=70, what="health")
        self.assertEqual(server.workers, workers)
        server.stop()
        torn = [line for line in self.lines() if not is_json(line)]
        proof = json.loads(self.project.run("django", "audit_verify", "--full", "--json"))
        is_passed = not torn and proof["faults"] == []
        report(
            "full disk",
            load="20 s of acts on a disk without a byte",
            measured={"almost_told_s": almost, "full_told_s": 20 + unreachable, "torn_lines": len(torn)},
            bar="every act 503 or kept, reads answered, both told, no line torn, the log proves",
            is_passed=is_passed,
        )
        self.assertEqual((torn, proof["faults"]), ([], []))

    def lines(self) -> list[str]:
        return [line for path in (self.folder / "logs").glob("*.log") for line in path.read_text().splitlines()]


def is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
