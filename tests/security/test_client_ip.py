"""Whose address a request has (ASVS V15.3.4): only a proxy of ours may speak for another."""

import pytest
from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from security.client_ip import _remembered_walk, client_address, is_in_networks

pytestmark = pytest.mark.embedded  # no store is asked


class WithoutProxies(SimpleTestCase):
    """Where no proxy is trusted, the peer is the client whatever it says."""

    def test_forwarded_addresses_are_ignored(self):
        self.assertEqual(client_address(peer="203.0.113.9", forwarded_for="198.51.100.1"), "203.0.113.9")

    @given(st.text(max_size=200))
    def test_whatever_the_header_holds(self, header):
        self.assertEqual(client_address(peer="203.0.113.9", forwarded_for=header), "203.0.113.9")


@override_settings(TRUSTED_PROXIES=["10.0.0.0/8", "2001:db8:1::/48"])
class BehindProxies(SimpleTestCase):
    """Counted from the right, the first address that is not a proxy of ours is the client."""

    def test_the_table(self):
        for peer, header, client in (
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the left one is the client's own claim
            ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.3, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1, 10.200.0.9", "198.51.100.1"),  # so no client may live among the proxies
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.7", "10.0.0.7"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy: it speaks for itself
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9, junk", "10.0.0.1"),  # what stands behind junk cannot be trusted
            ("10.0.0.1", "203.0.113.9:4711", "10.0.0.1"),
            ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("2001:db8:1::5", "2001:db8:2::9", "2001:db8:2::9"),
            ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
            ("", "203.0.113.9", ""),
        ):
            with self.subTest(peer=peer, header=header):
                self.assertEqual(client_address(peer=peer, forwarded_for=header), client)

    @given(st.text(max_size=200))
    def test_junk_never_raises(self, header):
        self.assertIsInstance(client_address(peer="10.0.0.1", forwarded_for=header), str)


class Remembered(SimpleTestCase):
    """The way of a client is remembered with all that it followed from, and only while it is short."""

    def test_another_peer_header_or_list_is_another_way(self):
        asked = [("10.0.0.1", "203.0.113.9"), ("10.0.0.1", "203.0.113.8"), ("192.0.2.1", "203.0.113.9")]
        for proxies, clients in (
            (["10.0.0.0/8"], ["203.0.113.9", "203.0.113.8", "192.0.2.1"]),
            (["192.0.2.1/32"], ["10.0.0.1", "10.0.0.1", "203.0.113.9"]),
            ([], ["10.0.0.1", "10.0.0.1", "192.0.2.1"]),
        ):
            for _ in range(2):
                with override_settings(TRUSTED_PROXIES=proxies):
                    found = [client_address(peer=peer, forwarded_for=header) for peer, header in asked]
                self.assertEqual(found, clients)

    @override_settings(TRUSTED_PROXIES=["10.0.0.0/8"])
    def test_a_long_header_takes_no_memory(self):
        before = _remembered_walk.cache_info()
        self.assertEqual(client_address(peer="10.0.0.1", forwarded_for="x" * 8000 + ", 203.0.113.9"), "203.0.113.9")
        self.assertEqual(_remembered_walk.cache_info(), before)


class Networks(SimpleTestCase):
    """Membership of networks given as text."""

    def test_inside_outside_and_unreadable(self):
        self.assertTrue(is_in_networks("192.0.2.9", ("192.0.2.0/24",)))
        self.assertTrue(is_in_networks("::ffff:192.0.2.9", ("192.0.2.0/24",)))
        self.assertFalse(is_in_networks("192.0.3.9", ("192.0.2.0/24",)))
        self.assertFalse(is_in_networks("2001:db8::1", ("192.0.2.0/24",)))
        self.assertFalse(is_in_networks("nonsense", ("0.0.0.0/0",)))
        self.assertFalse(is_in_networks("", ("0.0.0.0/0", "::/0")))
