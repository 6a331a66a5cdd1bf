"""GET /api/audit/log: the whole log as tiles, for staff with the right to it, as a strange tool reads it."""

import hashlib

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.login.services import sign_in
from accounts.staff import StaffRole
from security.tlog import AuditCheckpoint, verify_bundle
from security.tlog.tree import CompactRange
from tests.accounts.admin.door import hire, with_factor
from tests.base import ApiMixin
from tests.factories import asha
from tests.security.tlog.log import Intruder, SealedLog

LOG = "/api/audit/log"
FOR_EVER = "private, max-age=31536000, immutable"


class LogAsTiles(ApiMixin, SealedLog):
    def setUp(self):
        super().setUp()
        self.omar = with_factor(hire(StaffRole.AUDITOR)).user
        self.token = self.token_of(self.omar)

    def on_commit(self):
        return self.captureOnCommitCallbacks(execute=True)

    def token_of(self, person) -> str:
        return sign_in(user=person, amr="pwd otp").tokens.access

    def read(self, path: str):
        response = self.get(f"{LOG}/{path}", token=self.token)
        self.assertEqual(response.status_code, 200, response.content)
        return response

    def test_the_root_follows_from_the_tiles(self):
        note = self.read("checkpoint")
        self.assertEqual(note["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(note["Cache-Control"], "no-store")
        key = verify_bundle.parse_key(AuditCheckpoint.objects.select_related("log").first().log.verifier_key)
        _, size, root = verify_bundle.open_checkpoint(note.content.decode(), [key])
        tree = CompactRange()
        for tile in ("000", "001", "002.p/18"):
            hashes, entries = self.read(f"tile/0/{tile}").content, self.read(f"tile/entries/{tile}").content
            for at in range(len(hashes) // 32):
                length = int.from_bytes(entries[:2], "big")
                leaf, entries = entries[2 : 2 + length], entries[2 + length :]
                self.assertEqual(hashlib.sha256(b"\0" + leaf).digest(), hashes[at * 32 : at * 32 + 32])
                tree.append(hashes[at * 32 : at * 32 + 32])
        self.assertEqual((tree.size, tree.root()), (size, root))
        self.assertEqual(self.read("tile/1/000.p/2").content[:32], root_over(self.read("tile/0/000").content))

    def test_only_what_is_full_may_be_kept(self):
        for tile, kept in (("0/000", FOR_EVER), ("entries/001", FOR_EVER), ("0/002.p/18", "no-store")):
            self.assertEqual(self.read(f"tile/{tile}")["Cache-Control"], kept, tile)

    def test_what_is_not_signed_or_no_address_of_a_tile_is_not_found(self):
        self.act(300)  # not sealed
        unsigned = "0/002 0/002.p/19 0/003 1/000 2/000.p/1 entries/003.p/1"
        misspelt = "6/000 0/0 0/x000/000 0/000.p/0 0/000.p/256 0/000.p/257 00/000 0/٠٠٠ 0/../0/000 0/000/ x 0/x9/999"
        for tile in f"{unsigned} {misspelt}".split():
            self.assertProblem(self.get(f"{LOG}/tile/{tile}", token=self.token), 404, "NOT_FOUND")

    def test_reading_events_is_marked_and_reading_hashes_is_not(self):
        self.read("tile/0/000")
        self.assertAudited("audit.exported", times=0)
        with CaptureQueriesContext(connection) as queries:
            self.read("tile/entries/002.p/18")
        self.assertFalse(any("audit_pruned" in query["sql"] for query in queries))  # nothing is missing
        self.assertAudited("audit.exported", actor=self.omar)
        data = self.audited("audit.exported")[0].parsed_leaf().data
        self.assertEqual((data["place"], data["events"]), ("entries/002.p/18", 18))

    def test_nobody_else_reads_it_and_the_attempt_is_marked(self):
        support = with_factor(hire(StaffRole.SUPPORT, email="eve@staff.example.in")).user
        for person in (asha(), support):
            for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
                response = self.get(f"{LOG}/{path}", token=self.token_of(person))
                self.assertProblem(response, 403, "INSUFFICIENT_PERMISSIONS")
        self.assertAudited("permission.denied", times=6)
        self.assertProblem(self.get(f"{LOG}/checkpoint"), 401, "NO_TOKEN")

    def test_an_auditor_without_a_second_factor_reads_nothing(self):
        new = hire(StaffRole.AUDITOR, email="new@staff.example.in").user
        self.assertProblem(self.get(f"{LOG}/checkpoint", token=self.token_of(new)), 403, "2FA_SETUP_REQUIRED")

    def test_before_anything_is_signed_there_is_no_checkpoint(self):
        Intruder().run("UPDATE audit_checkpoint SET note = ''")
        self.assertProblem(self.get(f"{LOG}/checkpoint", token=self.token), 404, "NOT_FOUND")


def root_over(hashes: bytes) -> bytes:
    tree = CompactRange()
    for at in range(0, len(hashes), 32):
        tree.append(hashes[at : at + 32])
    return tree.root()
