"""Loopback ports for the servers that tests start."""

import secrets
import socket

# Below the ports the kernel hands to clients (32768 and up on Linux, 49152 and up elsewhere).
_FIRST, _COUNT = 12_000, 20_000


def free_port() -> int:
    """A loopback port on which nobody listened a moment ago.

    A port that the kernel picks is not safe for a server that starts a moment later, or is killed and started
    again: any client on the machine can be given the same number for its own end, and then holds the port.
    Chosen by the system's randomness, as the tests' own is seeded alike in each of their processes.
    """
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken; the next one is as good
            return port
