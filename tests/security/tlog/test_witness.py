"""A witness cosigns what grew from the tree it cosigned last, and nothing else (c2sp.org/tlog-witness)."""

import json
import os
import socket
import stat
import tempfile
import threading
from http.client import HTTPConnection
from pathlib import Path
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import SimpleTestCase

from security.tlog.note import Checkpoint, open_note, sign_note, to_base64
from security.tlog.witness import cosign, make_witness, trust_log
from security.tlog.witness_server import MAX_CONNECTIONS, WitnessServer
from tests.commands import output_of
from tests.security.tlog.witnesses import NAME, ORIGIN, InventedLog, submission
from tests.waiting import until

# Its processes have folders of their own and know no store.
pytestmark = pytest.mark.embedded


class WitnessCase(SimpleTestCase):
    def setUp(self):
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder = self.home / "witness"
        self.key = make_witness(self.folder, name=NAME)
        self.log = InventedLog()
        trust_log(self.folder, self.log.key)
        self.serve()

    def serve(self) -> None:
        """Begin to serve the folder; what served it before is gone."""
        self.server = WitnessServer(("127.0.0.1", 0), self.folder)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def ask(self, body: bytes, *, method: str = "POST", path: str = "/add-checkpoint", **headers: str):
        """(status, content type, text) of an answer."""
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
        finally:
            connection.close()

    def assert_answer(self, body: bytes, status: int, text: str = "") -> None:
        with self.assertLogs("security.tlog.witness", "WARNING"):
            answered = self.ask(body)
        self.assertEqual(answered[0], status, answered)
        self.assertIn(text, answered[2])

    def assert_cosigned(self, old: int, new: int) -> None:
        status, _, line = self.ask(self.log.submission(old, new))
        self.assertEqual(status, 200, line)
        opened = open_note(self.log.note(new) + line, [self.key])
        self.assertIsNotNone(opened.signers[NAME])


class Protocol(WitnessCase):
    """Every answer of the specification."""

    def test_200_a_tree_that_grew_is_cosigned(self):
        for old, new in ((0, 3), (3, 8), (8, 8), (8, 21)):
            self.assert_cosigned(old, new)

    def test_200_the_size_of_nothing_is_zero(self):
        self.assert_cosigned(0, 0)
        self.assert_cosigned(0, 5)

    def test_200_lines_of_others_are_ignored_and_not_kept(self):
        other = sign_note(self.log.checkpoint(3).text, name="stranger", private=Ed25519PrivateKey.generate())
        forged = f"— {NAME} {to_base64(self.key.id + b'0' * 72)}\n"
        note = self.log.note(3) + other.rpartition("\n\n")[2] + forged
        self.assertEqual(self.ask(submission("old 0", note=note))[0], 200)
        shown = self.shown()
        self.assertNotIn("stranger", shown)
        self.assertEqual(set(open_note(shown, [self.log.key, self.key]).signers), {ORIGIN, NAME})

    def shown(self) -> str:
        return output_of("audit_witness", "--folder", str(self.folder), "--show", ORIGIN)

    def test_400_what_is_no_submission(self):
        note = self.log.note(3)
        for body in (
            b"",
            b"old 0\n\n",
            b"\xff" + self.log.submission(0, 3),
            submission("old 01", note=note),
            submission("old -1", note=note),
            submission("new 0", note=note),
            submission("old 4", note=note),  # above the checkpoint's
            submission("old 0", "AAAA", note=note),
            submission("old 0", "!", note=note),
            submission("old 0", *[to_base64(b"1" * 32)] * 64, note=note),
            submission("old 0", note=note.rstrip("\n")),
            submission("old 0", note=note.replace("\n3\n", "\n3\nextension\n")),
            self.log.submission(0, 3) + b"no signature\n",
        ):
            with self.subTest(body[:60]):
                self.assert_answer(body, 400)
        self.assert_cosigned(0, 3)

    def test_403_not_signed_by_the_key_of_that_log(self):
        self.assert_answer(InventedLog().submission(0, 3), 403)
        right = self.log.note(3)
        wrong = InventedLog(private=self.log.private, history="other").note(7)
        self.assert_answer(submission("old 0", note=wrong.replace("\n7\n", "\n8\n")), 403)
        self.assertEqual(self.ask(submission("old 0", note=right))[0], 200)

    def test_404_a_log_that_nobody_told_it_of(self):
        stranger = Ed25519PrivateKey.generate()
        text = Checkpoint(origin="elsewhere/1", size=3, root=b"1" * 32).text
        self.assert_answer(submission("old 0", note=sign_note(text, name="elsewhere/1", private=stranger)), 404)

    def test_409_a_stale_size_is_answered_with_the_one_it_has(self):
        self.assert_cosigned(0, 8)
        for old, new in ((0, 21), (3, 8), (9, 21)):
            with self.subTest(old=old), self.assertLogs("security.tlog.witness", "WARNING"):
                answer = self.ask(self.log.submission(old, new))
            self.assertEqual(answer, (409, "text/x.tlog.size", "8\n"))

    def test_409_another_tree_of_the_same_size(self):
        self.assert_cosigned(0, 8)
        forked = InventedLog(private=self.log.private, history="other")
        self.assert_answer(forked.submission(8, 8), 409, "8\n")
        self.assert_cosigned(8, 8)

    def test_422_a_forked_log_under_the_same_key(self):
        self.assert_cosigned(0, 8)
        forked = InventedLog(private=self.log.private, history="other")
        for new in (9, 16, 21):
            with self.assertLogs("security.tlog.witness", "ERROR") as log:
                self.assertEqual(self.ask(forked.submission(8, new))[0], 422)
            self.assertEqual(log.records[0].note, forked.note(new))  # which proves that its key signed two histories
        self.assert_cosigned(8, 21)

    def test_422_a_proof_that_is_none(self):
        self.assert_answer(submission("old 0", to_base64(b"1" * 32), note=self.log.note(3)), 422)
        self.assert_cosigned(0, 3)
        self.assert_answer(submission("old 3", note=self.log.note(8)), 422)

    def test_503_a_folder_that_cannot_be_read_signs_nothing(self):
        self.assert_cosigned(0, 8)
        state = self.folder / "witness.json"
        text = state.read_text()
        state.write_text(text[:50])
        self.assert_answer(self.log.submission(8, 9), 503)
        state.unlink()
        self.assert_answer(self.log.submission(0, 9), 503)
        state.write_text(text)
        self.assert_cosigned(8, 9)


class Server(WitnessCase):
    """What is no submission at all ends the connection; nobody holds a thread for ever."""

    def test_only_one_path_and_one_method(self):
        self.assertEqual(self.ask(b"", path="/other")[0], 404)
        self.assertEqual(self.ask(b"", path="/other", method="GET")[0], 404)
        self.assertEqual(self.ask(b"", method="GET")[0], 405)
        self.assertEqual(self.ask(b"", method="DELETE")[0], 501)

    def test_bodies_have_one_length_within_the_limit(self):
        self.assertEqual(self.ask(b"x" * 100_000)[0], 413)
        self.assertEqual(self.ask(b"", **{"Content-Length": "9" * 50})[0], 413)
        self.assertEqual(self.ask(b"", **{"Content-Length": "-1"})[0], 400)
        for other in ({}, {"Content-Length": "5"}):  # with both, a proxy may see another end than we do
            self.assertEqual(self.ask(b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"}, **other)[0], 411)

    def test_a_connection_serves_several_requests(self):
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        self.addCleanup(connection.close)
        for old, new in ((0, 3), (3, 8)):
            connection.request("POST", "/add-checkpoint", self.log.submission(old, new))
            answer = connection.getresponse()
            self.assertEqual((answer.status, bool(answer.read())), (200, True))

    def test_silent_connections_do_not_take_the_place_of_others_for_ever(self):
        silent = [socket.create_connection(self.server.server_address, 5) for _ in range(MAX_CONNECTIONS)]
        with self.assertRaises(OSError):
            self.ask(self.log.submission(0, 3))
        for one in silent:
            one.close()
        until(self.is_served, what="a free thread")

    def is_served(self) -> bool:
        try:
            return self.ask(self.log.submission(0, 3))[0] in (200, 409)
        except OSError:
            return False


class Memory(WitnessCase):
    """What it cosigned it knows, whatever ends in between and whoever comes at once."""

    def test_a_restart_keeps_it(self):
        self.assert_cosigned(0, 8)
        self.serve()
        forked = InventedLog(private=self.log.private, history="other")
        self.assert_answer(forked.submission(0, 9), 409, "8\n")
        self.assert_cosigned(8, 9)

    def test_of_two_trees_at_once_one_is_cosigned(self):
        forked = InventedLog(private=self.log.private, history="other")
        self.assert_cosigned(0, 5)
        for size in range(6, 26):
            start, statuses = threading.Barrier(2), []

            def send(log, size=size, start=start, statuses=statuses):
                body = log.submission(5, size)
                start.wait(10)
                statuses.append(self.ask(body)[0])

            threads = [threading.Thread(target=send, args=[log]) for log in (self.log, forked)]
            for one in threads:
                one.start()
            for one in threads:
                one.join(20)
            self.assertEqual(sorted(statuses), [200, 409], size)
            self.forget(5)

    def forget(self, size: int) -> None:
        """Back to the tree of `size`, as no witness ever goes."""
        state = self.folder / "witness.json"
        document = json.loads(state.read_text())
        document["logs"][ORIGIN]["note"] = self.log.note(size)
        state.write_text(json.dumps(document))

    def test_what_cannot_be_remembered_is_not_answered(self):
        self.assert_cosigned(0, 5)
        (self.folder / ".witness.json.new").mkdir()  # in the way of the next write
        self.assert_answer(self.log.submission(5, 9), 503)
        (self.folder / ".witness.json.new").rmdir()
        self.assert_cosigned(5, 9)

    def test_it_is_on_the_disk_before_the_answer(self):
        state, synced = self.folder / "witness.json", []

        def fsync(descriptor, fsync=os.fsync):
            fsync(descriptor)
            synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), state.read_text()))

        with mock.patch("os.fsync", fsync):
            line = cosign(self.folder, self.log.submission(0, 3), now=7)
        self.assertEqual(synced[-1], (os.path.realpath(self.folder), state.read_text()))
        self.assertIn(line.split()[-1], synced[-1][1])

    def test_the_folder_is_its_owners_alone(self):
        cosign(self.folder, self.log.submission(0, 3), now=0)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.folder / "witness.json").stat().st_mode), 0o600)
