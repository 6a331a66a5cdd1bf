"""TLS to the receiver, and the command `audit_forward`."""

import json
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError

from security.audit import AuditEvent
from security.siem import ReceiverUnavailable, forward_sealed, services
from security.siem.models import AuditForward
from security.siem.transport import deliver
from security.syslog_url import parse_destination
from tests.commands import output_of
from tests.ports import free_port
from tests.security.siem.case import ALL, ForwardCase
from tests.security.siem.receivers import indexes, server_context
from tests.security.tlog.log import SIZES

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]


class OverTls(ForwardCase):
    """Nothing is sent to a receiver for whom no authority of ours vouches."""

    def setUp(self):
        super().setUp()
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        context, self.authority = server_context(folder)
        self.receiver = self.receives(context=context)
        self.url = f"tls://127.0.0.1:{self.receiver.port}"

    def test_one_that_is_vouched_for(self):
        with self.settings(AUDIT_SYSLOG=self.url, AUDIT_SYSLOG_CA=str(self.authority)):
            self.assertEqual(forward_sealed(), SIZES[-1])
        self.assertEqual(indexes(self.receiver.end()), ALL)

    def test_one_that_is_not(self):
        with self.settings(AUDIT_SYSLOG=self.url), self.assertRaisesRegex(ReceiverUnavailable, "not trusted"):
            forward_sealed()
        self.assertEqual(self.receiver.end(), [])

    def test_one_that_reads_and_never_ends_did_not_take_it(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        context, authority = server_context(folder)
        receiver = self.receives(context=context, ends=False)
        where = parse_destination(f"tls://127.0.0.1:{receiver.port}")
        with self.assertRaises(ReceiverUnavailable):
            deliver([b"x"], to=where, ca_file=str(authority), patience=1)

    def test_one_whose_certificate_names_another_host(self):
        url = self.url.replace("127.0.0.1", "localhost")
        with (
            self.settings(AUDIT_SYSLOG=url, AUDIT_SYSLOG_CA=str(self.authority)),
            self.assertRaisesRegex(ReceiverUnavailable, "not trusted"),
        ):
            forward_sealed()
        self.assertEqual(self.receiver.end(), [])


class Command(ForwardCase):
    """`audit_forward`: sends, says how it stands, and sends again from a place, which is an event."""

    def test_it_sends_and_says_how_far(self):
        said = self.run_command()
        self.assertEqual(said, f"530 events sent; 530 of 530 signed events are forwarded to {self.url}.\n")

    def test_status_sends_nothing(self):
        told = json.loads(self.run_command("--status", "--json"))
        self.assertEqual((told["sent"], told["nextIndex"], told["size"]), (0, 0, 530))
        self.assertEqual(self.receiver.end(), [])

    def test_from_a_place_sends_again_and_is_told_of(self):
        self.run_command()
        told = json.loads(self.run_command("--from", "520", "--reason", "OPS-9", "--json"))
        self.assertEqual((told["sent"], told["nextIndex"]), (10, 530))
        self.assertEqual(indexes(self.receiver.end()), [*ALL, *range(520, 530)])
        data = AuditEvent.objects.get(type="audit_forward.moved").parsed_leaf().data
        self.assertEqual((data["from"], data["to"], data["reason"]), (530, 520, "OPS-9"))

    def test_who_sends_meanwhile_stops(self):
        def moved(*args, **options):
            deliver(*args, **options)
            services.deliver = deliver
            self.run_command("--from", "5", "--reason", "OPS-9", "--status")

        with mock.patch.object(services, "deliver", moved):
            self.assertEqual(forward_sealed(), 0)
        self.assertEqual(AuditForward.objects.get().next_index, 5)

    def test_what_it_refuses(self):
        for arguments, words in (
            (["--from", "531", "--reason", "OPS-9"], "places 0 to 530"),
            (["--from", "-1", "--reason", "OPS-9"], "places 0 to 530"),
            (["--from", "5"], "a reason has"),
        ):
            with self.subTest(arguments), self.assertRaisesRegex(CommandError, words) as refused:
                self.run_command(*arguments)
            self.assertEqual(refused.exception.returncode, 2)
        self.assertFalse(AuditEvent.objects.filter(type="audit_forward.moved").exists())

    def test_a_receiver_that_is_away_ends_it_with_one(self):
        with self.settings(AUDIT_SYSLOG=f"tcp://127.0.0.1:{free_port()}"):
            with self.assertRaises(CommandError) as failed:
                self.run_command()
            self.assertEqual(failed.exception.returncode, 1)
            with self.assertRaises(SystemExit) as ended:
                self.run_command("--status")
            self.assertEqual(ended.exception.code, 1)

    def test_without_a_receiver_there_is_nothing_to_do(self):
        with self.settings(AUDIT_SYSLOG=""):
            for arguments in ([], ["--status"], ["--from", "0", "--reason", "OPS-9"]):
                with self.assertRaisesRegex(CommandError, "forwarded to nobody") as refused:
                    self.run_command(*arguments)
                self.assertEqual(refused.exception.returncode, 2)

    def run_command(self, *arguments) -> str:
        return output_of("audit_forward", *arguments)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.receiver.port}"
