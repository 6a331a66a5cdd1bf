"""The witness as its operator runs it, on a host with the repository and one folder."""

import tempfile
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase

from security.tlog.note import VerifierKey, open_note
from security.tlog.witness import make_witness, trust_log
from tests.commands import output_of
from tests.security.tlog.witnesses import NAME, ORIGIN, InventedLog, WitnessHost

# Its processes have folders of their own and know no store.
pytestmark = pytest.mark.embedded


class Command(SimpleTestCase):
    """It needs no database and no key ring, and leaves nothing outside its folder."""

    def setUp(self):
        self.host = WitnessHost(Path(self.enterContext(tempfile.TemporaryDirectory())))
        self.addCleanup(self.host.stop)
        self.log = InventedLog()

    def test_from_its_making_to_a_cosignature_and_across_a_restart(self):
        self.host.key = self.host.run("--init", NAME).strip()
        self.said("--trust", self.log.key)
        key = VerifierKey.parse(self.host.key)
        self.assertEqual((key.name, key.algorithm), (NAME, 4))
        self.assertIn("nothing of", self.refusal("--show", ORIGIN))
        for old, new in ((0, 3), (3, 8)):
            self.host.start()
            connection = HTTPConnection("127.0.0.1", self.host.port, timeout=10)
            connection.request("POST", "/add-checkpoint", self.log.submission(old, new))
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            self.assertEqual(self.host.stop(), 0)
        opened = open_note(self.host.run("--show", ORIGIN), [key])
        self.assertEqual(opened.text, self.log.checkpoint(8).text)
        self.assertEqual(sorted(path.name for path in self.host.home.iterdir()), ["witness"])

    def test_made_again_it_is_the_same(self):
        first = self.said("--init", NAME)
        self.assertEqual(self.said("--init", NAME), first)
        self.assertIn("name another folder", self.refusal("--init", "other.example.in"))

    def said(self, *arguments: object) -> str:
        """As `run` of the host, without the second that a process takes to start."""
        return output_of("audit_witness", "--folder", self.host.folder, *arguments)

    def refusal(self, *arguments: str) -> str:
        with self.assertRaises(CommandError) as raised:
            call_command("audit_witness", "--folder", str(self.host.folder), *arguments)
        self.assertEqual(raised.exception.returncode, 2)
        return str(raised.exception)

    def test_what_it_refuses(self):
        self.assertIn("--init NAME makes", self.refusal("--serve", "127.0.0.1:8790"))
        self.assertIn("neither spaces nor plus", self.refusal("--init", "a name"))
        self.assertFalse(self.host.folder.exists())
        key = make_witness(self.host.folder, name=NAME)
        self.assertIn("not the text of a verifier key", self.refusal("--trust", "nonsense"))
        self.assertIn("the key of a witness", self.refusal("--trust", str(key)))
        self.assertIn("none", self.refusal("--show", ORIGIN))
        self.assertIn("HOST:PORT", self.refusal("--serve", "8790"))
        trust_log(self.host.folder, self.log.key)
        self.assertIn("under another key", self.refusal("--trust", str(InventedLog().key)))
