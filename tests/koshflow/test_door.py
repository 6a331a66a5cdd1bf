"""The listening socket at the end of the server."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from unittest import skipUnless

import pytest
from django.test import SimpleTestCase

from koshflow.door import is_held_by, turn_newcomers_away

pytestmark = pytest.mark.embedded  # no store is asked


@skipUnless(sys.platform == "linux", "socket filters are Linux's")
class Door(SimpleTestCase):
    """Who was let in stays in, and who knocks at a door that closes is refused, never cut (R17)."""

    def setUp(self):
        self.listener = self.enterContext(closing(socket.create_server(("127.0.0.1", 0))))
        self.address = self.listener.getsockname()

    def knock(self):
        client = self.enterContext(closing(socket.socket()))
        client.setblocking(False)
        client.connect_ex(self.address)
        return client

    def test_who_was_let_in_is_served(self):
        client = socket.create_connection(self.address)
        self.assertTrue(turn_newcomers_away(self.listener))
        taken, _ = self.listener.accept()
        with closing(client), closing(taken):
            client.sendall(b"ask")
            self.assertEqual(taken.recv(3), b"ask")
            taken.sendall(b"tell")
            self.assertEqual(client.recv(4), b"tell")

    def test_no_newcomer_gets_in(self):
        self.assertTrue(turn_newcomers_away(self.listener))
        self.knock()
        self.listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.listener.accept()

    def test_a_newcomer_hears_that_the_door_is_closed(self):
        turn_newcomers_away(self.listener)
        client = self.knock()
        self.listener.close()
        client.settimeout(30)
        with self.assertRaises(ConnectionRefusedError):
            client.recv(1)

    def test_it_is_seen_who_holds_the_door(self):
        self.assertTrue(is_held_by(os.getpid(), self.listener))
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
            self.assertFalse(is_held_by(stranger.pid, self.listener))
            stranger.communicate(b"\n")
        self.assertTrue(is_held_by(stranger.pid, self.listener), "nothing can be seen of a process that is gone")
