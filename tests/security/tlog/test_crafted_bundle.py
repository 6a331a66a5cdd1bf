"""Bundles made to deceive: by who leaves events out, by who has the zip file on its way, and by the log's own owner."""

import hashlib
import io
import json
import tempfile
import tracemalloc
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import SimpleTestCase

from security.audit.leaf import leaf_hash
from security.tlog import verify_bundle
from security.tlog.note import sign_note, verifier_key
from security.tlog.tree import node_hash
from tests.security.audit.examples import ADDRESS
from tests.security.tlog.bundles import BundleCase
from tests.security.tlog.log import SIZES

SIZE = SIZES[-1]
SELECTION = "A selection: nobody can say whether it is whole.\n"


class WhatIsWhole(BundleCase):
    """The reader learns of which events none is missing, and can say of which none may be."""

    def leave_out(self, place: int, *, claim: str | None) -> None:
        """Event `place` of the first tile, and the bundle then says that `claim` is whole."""
        entries, kept = self.member("tile/entries/000"), b""
        for index in range(256):
            length = int.from_bytes(entries[:2], "big") + 2
            kept += b"\0\0" if index == place else entries[:length]
            entries = entries[length:]
        self.forge("tile/entries/000", kept)
        self.forge("range", claim)

    def test_it_is_said_of_which_events_none_is_missing(self):
        part = ("--since", "250", "--until", "300")
        for arguments, told in (((), f"Events 0 to {SIZE - 1}"), (part, "Events 250 to 299")):
            self.export(*arguments)
            for asked in ((), arguments or ("--whole",)):
                checked = self.check("--key", self.key, *asked)
                self.assertEqual(checked.returncode, 0, checked.stderr)
                self.assertIn(f"\n{told} are whole.\n", checked.stdout)
                self.assertNotIn(SELECTION, checked.stdout)

    def test_who_left_an_event_out_is_found_by_who_asks_for_it(self):
        self.export()
        self.leave_out(3, claim=f"4 {SIZE}\n")
        self.assertIn(f"Events 4 to {SIZE - 1} are whole", self.check("--key", self.key).stdout)
        cases = {("--whole",): 1, ("--since", "3"): 1, ("--until", "4"): 1, ("--since", "4"): 0, ("--until", "3"): 0}
        for asked, code in cases.items():
            with self.subTest(asked):
                checked = self.check("--key", self.key, *asked)
                self.assertEqual(checked.returncode, code, checked.stderr)
                self.assertEqual("event 3 is not here" in checked.stderr, bool(code))

    def test_a_selection_is_said_to_be_one(self):
        self.export()
        self.leave_out(3, claim=None)
        checked = self.check("--key", self.key)
        self.assertEqual(checked.returncode, 0)
        self.assertIn(SELECTION, checked.stdout)
        self.assertNotIn("are whole", checked.stdout)
        self.assertEqual(self.check("--key", self.key, "--whole").returncode, 1)

    def test_a_claim_that_does_not_hold_is_wrong(self):
        self.export()
        for claim in (f"0 {SIZE + 1}", "9 8", "-1 8", "8", "0 x"):
            with self.subTest(claim):
                self.forge("range", claim)
                self.assertRefused("")
        self.leave_out(3, claim=f"3 {SIZE}")
        self.assertRefused("event 3 is not here")

    def test_more_than_the_log_has_cannot_be_whole(self):
        self.export()
        for asked in (("--until", str(SIZE + 1)), ("--since", str(SIZE)), ("--since", "5", "--until", "5")):
            self.assertRefused(f"the log has {SIZE} events", *asked)

    def test_a_bundle_without_an_event_claims_nothing(self):
        self.export("--since", "9999")
        self.assertIn(SELECTION, self.check("--key", self.key).stdout)


class TheZipFile(BundleCase):
    """Whatever a file is made of, it is refused in a line that does nothing to a terminal, and takes little memory."""

    def add(self, name: str, content: bytes | str, *, compression: int = zipfile.ZIP_STORED) -> None:
        with zipfile.ZipFile(self.path, "a") as bundle:
            bundle.writestr(name, content, compression)

    def test_a_method_whose_output_has_no_bound(self):
        for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            self.export()
            self.add("disclosures", b"", compression=compression)
            self.assertRefused("disclosures is encrypted, compressed as in no bundle, or")

    def test_what_is_encrypted(self):
        self.export()
        with zipfile.ZipFile(self.path, "a") as bundle:
            bundle.writestr("x", b"")  # so that the directory is written anew
            bundle.NameToInfo["checkpoint"].flag_bits |= 1
        self.assertRefused("checkpoint is encrypted, compressed as in no bundle, or")

    def test_what_swells_takes_little_memory(self):
        for name, claimed in (("disclosures", 100), ("disclosures", None), ("prunings", 100), ("cosigned", None)):
            with self.subTest(name, claimed=claimed):
                self.export()
                if name != "disclosures":
                    self.forge(name, None)
                with zipfile.ZipFile(self.path, "a") as bundle:
                    packed = zipfile.ZipInfo(name)
                    packed.compress_type = zipfile.ZIP_DEFLATED
                    with bundle.open(packed, "w") as file:
                        for _ in range(120):
                            file.write(b"\n" * 1_000_000)
                    if claimed:
                        packed.file_size = claimed
                with redirect_stderr(io.StringIO()) as said, redirect_stdout(said):
                    arguments = ["verify_bundle.py", "--key", self.key, str(self.path)]
                    tracemalloc.start()
                    try:
                        with mock.patch("sys.argv", arguments):
                            self.assertEqual(verify_bundle.main(), 1)
                        self.assertLess(tracemalloc.get_traced_memory()[1], 100_000_000)
                    finally:
                        tracemalloc.stop()
                self.assertIn("WRONG: ", said.getvalue())

    def test_what_is_not_in_the_form_of_a_list(self):
        cases = {
            "disclosures": [
                '{"index":0,"field":1,"value":1,"salt":""}',
                '{"index":0,"field":"address","value":1,"salt":1}',
                "[1]",
                "null",
                "9" * 9999,
                "[" * 99_999,
                '{"index":0,"index":1,"field":"address","value":1,"salt":""}',
            ],
            "prunings": [
                '{"event":1,"leaf":5}',
                '{"event":[],"leaf":"5"}',
                '{"event":1,"tile":0,"places":"ff"}',
                f'{{"event":{SIZE},"leaf":"5"}}',
                '{"event":1,"leaf":"{}"}\n{"event":1,"tile":3,"places":"0"}',
                '{"event":1,"leaf":"{}"}\n{"event":1,"tile":-1,"places":"ff"}',
                '{"event":-1,"leaf":"{}"}\n{"event":-1,"tile":0,"places":"-1"}',
            ],
            "checkpoints": ["x", "\udc80"],
            "range": ["0 " + "9" * 9999],
        }
        for name, contents in cases.items():
            for content in contents:
                with self.subTest(name, content=content[:60]):
                    self.export()
                    if name != "disclosures":
                        self.forge(name, None)
                    self.add(name, content.encode(errors="surrogateescape"))
                    self.assertRefused("")

    def test_values_of_an_event_that_is_not_here(self):
        self.export("--disclose", "--until", "3")
        line = self.member("disclosures").splitlines()[0]
        for index in (-1, 3, SIZE, "0"):
            self.forge("disclosures", json.dumps(json.loads(line) | {"index": index}))
            self.assertRefused("values of events that are not here")

    def test_nothing_that_is_printed_moves_a_terminal(self):
        self.export("--disclose", "--until", "1")
        told = json.loads(self.member("disclosures"))
        for field in ("\x1b[2K\rall is proved\x1b[8m", "\x9b8m", "\u202eevorp", "\u2028is whole", "\x7f", "\n"):
            with self.subTest(ascii(field)):
                self.forge("disclosures", json.dumps(told | {"field": field}))
                self.assertRefused(" of event 0 is not the value")
        self.assertEqual(verify_bundle.shown('{"name": "आशा"}'), '{"name": "आशा"}')
        escaped = "\\u001b\\u009b\\u202e\\udb40\\udc01\\n"
        self.assertEqual(verify_bundle.shown("\x1b\x9b\u202e\U000e0001\n"), escaped)

    def test_a_listed_value_cannot_either(self):
        self.export("--disclose", "--until", "1")
        told = json.loads(self.member("disclosures")) | {"value": "\x9b8m\u202e"}
        self.forge("disclosures", json.dumps(told))
        with (
            mock.patch.object(verify_bundle, "check_disclosure"),
            mock.patch("sys.argv", ["verify_bundle.py", "--key", self.key, "--list", str(self.path)]),
            redirect_stdout(io.StringIO()) as said,
            redirect_stderr(io.StringIO()),
        ):
            self.assertEqual(verify_bundle.main(), 0)
        self.assertTrue(said.getvalue().rstrip("\n").isprintable())
        self.assertEqual(json.loads(said.getvalue())["disclosed"], {"address": "\x9b8m\u202e"})
        self.assertNotIn(ADDRESS, said.getvalue())


class TheOwnersWords(SimpleTestCase):
    """The log's owner writes events, and can sign any: what they say is not taken for what the verifier says."""

    ORIGIN = "log.example/1"
    PRUNED = {"class": "noise", "until": "2032-03-20T06:00:03.000000Z"}

    def setUp(self):
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "bundle.zip"
        self.private = Ed25519PrivateKey.generate()

    def sign(self, leaf: bytes, *, origin: str = ORIGIN, size: str = "2", is_pruning: bool = False) -> None:
        """A log of two events: one that is gone, and `leaf`."""
        gone = leaf_hash(b"gone")
        hashes = gone + leaf_hash(leaf)
        root = verify_bundle.b64encode(node_hash(gone, leaf_hash(leaf))).decode()
        note = sign_note(f"{origin}\n{size}\n{root}\n", name=self.ORIGIN, private=self.private)
        with zipfile.ZipFile(self.path, "w") as bundle:
            bundle.writestr("checkpoint", note)
            bundle.writestr("tile/0/000.p/2", hashes)
            bundle.writestr("tile/entries/000.p/2", b"\0\0" + len(leaf).to_bytes(2, "big") + leaf)
            if is_pruning:
                lines = {"event": 1, "leaf": leaf.decode()}, {"event": 1, "tile": 0, "places": "80" + "0" * 62}
                bundle.writestr("prunings", "".join(json.dumps(line) + "\n" for line in lines))
                bundle.writestr("range", "0 2")

    def run_it(self, *arguments: str) -> tuple[int, str]:
        key = str(verifier_key(self.ORIGIN, self.private))
        with (
            redirect_stdout(io.StringIO()) as said,
            redirect_stderr(said),
            mock.patch("sys.argv", ["verify_bundle.py", "--key", key, *arguments]),
        ):
            return verify_bundle.main(), said.getvalue()

    def prune(self, **told: object) -> tuple[int, str]:
        digest = hashlib.sha256((0).to_bytes(8, "big") + leaf_hash(b"gone")).hexdigest()
        data = {"count": 1, "digest": digest, **self.PRUNED} | told
        leaf = {"data": data, "type": "audit.pruned"}
        self.sign(json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode(), is_pruning=True)
        return self.run_it("--whole", str(self.path))

    def test_a_pruning_in_the_form_of_ours_is_told(self):
        code, said = self.prune()
        self.assertEqual(code, 0, said)
        self.assertIn("Event 1 tells of 1 archived and deleted: noise before 2032-03-20T06:00:03.000000Z.\n", said)

    def test_one_that_says_more_is_refused(self):
        cosigned = "noise before 2032.\nwitness.example.in cosigned 9, the last of 2 events.\nEvent 1"
        for told in (
            {"class": cosigned},
            {"class": "no cosignature"},
            {"until": "2032"},
            {"until": None},
            {"class": 1},
        ):
            with self.subTest(told):
                code, said = self.prune(**told)
                self.assertEqual((code, said.count("\n")), (1, 1), said)
                self.assertIn("an event says what it tells of", said)

    def test_a_checkpoint_names_its_own_log_and_a_number(self):
        for words in (
            {"origin": "w.example cosigned 9, the last of 2 events. log.example/1"},
            {"origin": "other.example/1"},
            {"size": "-5"},
            {"size": "+2"},
            {"size": "02"},
        ):
            with self.subTest(words):
                self.sign(b"{}", **words)
                code, said = self.run_it(str(self.path))
                self.assertEqual((code, said.count("\n")), (1, 1), said)
        self.sign(b"{}")
        self.assertEqual(self.run_it(str(self.path))[0], 0)

    def test_a_member_that_stands_twice_in_an_event(self):
        self.sign(b'{"type":"a.b","type":"c.d"}')
        code, said = self.run_it("--list", str(self.path))
        self.assertEqual(code, 1, said)
        self.assertIn("twice", said)

    def test_a_single_event_says_type_and_time_and_nothing_else(self):
        good = {"type": "session.created", "ts": "2032-03-20T06:00:03.000000Z"}
        words = "w.example cosigned it. session.created"
        for wrong in ({}, {"type": words}, {"ts": words}, {"type": "a\nb"}, {"type": 1}):
            with self.subTest(wrong):
                told = good | wrong
                leaf = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
                self.sign(leaf)
                with zipfile.ZipFile(self.path) as bundle:
                    note, sibling = bundle.read("checkpoint").decode(), bundle.read("tile/0/000.p/2")[:32]
                proof, event = self.path.with_name("proof"), self.path.with_name("event")
                sibling = verify_bundle.b64encode(sibling).decode()
                proof.write_text(f"c2sp.org/tlog-proof@v1\nindex 1\n{sibling}\n\n{note}")
                event.write_bytes(leaf)
                found, said = self.run_it("--proof", str(proof), "--event", str(event))
                self.assertEqual((found, "is event 1 of them" in said), (1, False) if wrong else (0, True), said)
