"""Notes and checkpoints: what the public examples say, and that no second spelling is taken."""

from unittest import TestCase

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.tlog.note import (
    COSIGNATURE,
    Checkpoint,
    NoteInvalid,
    VerifierKey,
    cosignature,
    open_note,
    sign_note,
    verifier_key,
)

pytestmark = pytest.mark.embedded  # pure: no store has a say

# The example of Go's golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NAME = "books.example.in/audit/feed/1"
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
TEXT = Checkpoint(origin=NAME, size=5, root=b"\5" * 32).text


class Notes(TestCase):
    def test_the_example_of_another_implementation_opens(self):
        opened = open_note(GO_NOTE, [VerifierKey.parse(GO_KEY)])
        self.assertEqual(opened.signers, {"PeterNeumann": None})
        self.assertEqual(str(VerifierKey.parse(GO_KEY)), GO_KEY)

    def test_what_was_signed_opens_and_the_same_text_gives_the_same_note(self):
        note = sign_note(TEXT, name=NAME, private=PRIVATE)
        self.assertEqual(note, sign_note(TEXT, name=NAME, private=PRIVATE))
        opened = open_note(note, [verifier_key(NAME, PRIVATE)])
        self.assertEqual(Checkpoint.parse(opened.text), Checkpoint(origin=NAME, size=5, root=b"\5" * 32))

    def test_signatures_of_others_are_passed_over_and_a_bad_one_of_ours_is_not(self):
        note, key = sign_note(TEXT, name=NAME, private=PRIVATE), verifier_key(NAME, PRIVATE)
        theirs = GO_NOTE.rpartition("\n\n")[2]
        self.assertEqual(open_note(note + theirs, [key]).signers, {NAME: None})
        with self.assertRaisesRegex(NoteInvalid, "PeterNeumann is wrong"):
            open_note(note + theirs, [key, VerifierKey.parse(GO_KEY)])

    def test_a_cosignature_says_when(self):
        witness = Ed25519PrivateKey.from_private_bytes(b"\11" * 32)
        note = sign_note(TEXT, name=NAME, private=PRIVATE)
        note += cosignature(TEXT, name="witness.example.org", private=witness, seen_at=1_790_000_000)
        keys = [
            verifier_key(NAME, PRIVATE),
            VerifierKey.parse(str(verifier_key("witness.example.org", witness, algorithm=COSIGNATURE))),
        ]
        self.assertEqual(open_note(note, keys).signers, {NAME: None, "witness.example.org": 1_790_000_000})

    def test_what_is_changed_does_not_open(self):
        note, keys = sign_note(TEXT, name=NAME, private=PRIVATE), [verifier_key(NAME, PRIVATE)]
        for changed in (
            note.replace("\n5\n", "\n6\n"),
            note.replace("\n\n", "\n"),
            note.rstrip("\n"),
            note + "\n",
            note + "— someone\n",
            note.replace("— ", "- "),
            note[:-3] + "A=\n",
            TEXT,
            "",
        ):
            with self.subTest(changed=changed), self.assertRaises(NoteInvalid):
                open_note(changed, keys)
        with self.assertRaisesRegex(NoteInvalid, "no known key"):
            open_note(note, [VerifierKey.parse(GO_KEY)])

    def test_a_checkpoint_has_one_spelling(self):
        for changed in (
            TEXT.replace("\n5\n", "\n05\n"),
            TEXT.replace("\n5\n", "\n-5\n"),
            TEXT.replace("\n5\n", "\n٥\n"),
            TEXT + "an extension\n",
            TEXT.replace("=", ""),
            TEXT.replace(NAME, "two words"),
        ):
            with self.subTest(changed=changed), self.assertRaises(NoteInvalid):
                Checkpoint.parse(changed)

    def test_a_key_has_one_spelling_and_its_own_id(self):
        for changed in (GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY[:-2], GO_KEY.replace("+A", "+B"), "nonsense"):
            with self.subTest(changed=changed), self.assertRaises(NoteInvalid):
                VerifierKey.parse(changed)
        with self.assertRaises(ValueError):
            verifier_key("a name", PRIVATE)
