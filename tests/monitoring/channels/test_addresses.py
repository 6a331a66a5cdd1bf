"""A receiver's name must not lead into the house, today or a moment later."""

import socket
from unittest import TestCase
from unittest.mock import patch

import pytest
from django.test import SimpleTestCase, override_settings

from monitoring.channels import guarded
from monitoring.channels.addresses import is_allowed
from monitoring.channels.guarded import AddressRefused, post_guarded
from monitoring.channels.signing import SecretInvalid, key_of, signed_headers
from security.exchange import ExchangeFailed
from tests.monitoring.channels.receiver import SECRET, Receiver

pytestmark = pytest.mark.embedded  # no store is asked

INSIDE = (
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.0.0.8",
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff0e::1", "::ffff:10.0.0.1",
    "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::", "2001:0:a00:1::", "::a00:1", "::ffff:0:a00:1", "fec0::1",
    "5f00::1", "100::1", "100:0:0:1::1", "3fff::1", "2001:db8::1", "192.88.99.1", "198.18.0.1", "4000::1",
)  # fmt: skip


class Addresses(TestCase):
    """The public internet alone, unless a network is named."""

    def test_nothing_inside_is_allowed(self):
        for address in INSIDE:
            with self.subTest(address):
                self.assertFalse(is_allowed(address, []))

    def test_the_public_internet_is(self):
        for address in ("93.184.216.34", "192.88.98.1", "2606:2800:220:1::1", "2001:4860:4860::8888", "2a00:1::1"):
            self.assertTrue(is_allowed(address, []))

    def test_a_network_that_is_named_is_and_its_neighbour_is_not(self):
        self.assertTrue(is_allowed("10.0.7.3", ["10.0.7.0/28"]))
        self.assertTrue(is_allowed("::ffff:10.0.7.3", ["10.0.7.0/28"]))
        self.assertFalse(is_allowed("10.0.7.16", ["10.0.7.0/28"]))


class Guard(SimpleTestCase):
    """Where we connect is what was looked at; the exchange is bounded; nobody sends us elsewhere."""

    def post(self, url, networks=("127.0.0.0/8",)):
        with override_settings(ALERT_PRIVATE_NETWORKS=list(networks)):
            return post_guarded(url, b"{}", headers={})

    def test_an_address_inside_is_refused_before_anything_is_sent(self):
        with Receiver() as receiver, self.assertRaises(AddressRefused):
            self.post(receiver.url, networks=())
        self.assertEqual(receiver.got, [])

    def test_a_name_with_one_address_inside_is_refused_whole(self):
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")
        ]
        with patch.object(guarded.socket, "getaddrinfo", return_value=both), self.assertRaises(AddressRefused):
            self.post("https://hooks.example.in/")

    def test_a_name_that_changes_its_mind_is_still_the_address_we_looked_at(self):
        with Receiver() as receiver:
            port = receiver.server.server_port
            first = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            real = socket.getaddrinfo
            asked = []

            def rebinding(host, *rest, **kwargs):
                asked.append(host)
                return first if host == "hooks.example.in" else real(host, *rest, **kwargs)

            with patch.object(socket, "getaddrinfo", rebinding):
                reply = self.post(f"http://hooks.example.in:{port}/")
        self.assertEqual(reply.status, 200)
        self.assertEqual(asked.count("hooks.example.in"), 1)  # a second question could have had another answer
        self.assertEqual(receiver.got[0].headers["host"], f"hooks.example.in:{port}")

    def test_a_redirect_is_an_answer_and_no_more(self):
        with Receiver() as other, Receiver(status=307) as receiver:
            receiver.location = other.url
            self.assertEqual(self.post(receiver.url).status, 307)
        self.assertEqual(other.got, [])

    def test_an_answer_without_end_is_cut(self):
        with Receiver(answer=b"x" * 70_000) as receiver, self.assertRaises(ExchangeFailed):
            self.post(receiver.url)
        with (
            Receiver(trickles=True) as receiver,
            patch.object(guarded, "PATIENCE_SECONDS", 0.4),
            self.assertRaises(ExchangeFailed),
        ):
            self.post(receiver.url)

    def test_a_name_that_leads_nowhere(self):
        with (
            patch.object(guarded.socket, "getaddrinfo", side_effect=socket.gaierror),
            self.assertRaises(ExchangeFailed),
        ):
            self.post("https://hooks.invalid/")

    def test_what_is_no_url(self):
        for url in ("https://[::1", "https://hooks:port/", "https://[hooks]/"):
            with self.subTest(url), self.assertRaises(ExchangeFailed):
                self.post(url)


class Signing(TestCase):
    """Standard Webhooks 1.0, by its own vector."""

    def signature(self, *secrets):
        return signed_headers(
            b'{"test": 2432232314}', message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, secrets=secrets
        )["webhook-signature"]

    def test_the_standards_vector(self):
        self.assertEqual(self.signature(SECRET), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

    def test_two_secrets_are_two_signatures(self):
        both = self.signature(SECRET, "whsec_" + "A" * 32).split()
        self.assertEqual(both[0], self.signature(SECRET))
        self.assertEqual(both[1], self.signature("whsec_" + "A" * 32))

    def test_what_is_no_secret_is_not_quoted(self):
        for text in ("plain", "whsec_?", "whsec_QUJD", SECRET.removeprefix("whsec_")):
            with self.subTest(text), self.assertRaises(SecretInvalid) as refused:
                key_of(text)
            self.assertNotIn(text.removeprefix("whsec_"), str(refused.exception))
