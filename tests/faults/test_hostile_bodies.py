"""Requests made to hurt, on a real server: each is refused, none is an error of ours, and nothing of them stays.

How fast a refusal is, `make bench` says; no test here takes a time.
"""

import copy

import pytest

from tests.faults.form import sized
from tests.faults.stand import EmbeddedCase
from tests.performance.hostile import KINDS, REGISTER_ONCE, pieces_of, send
from tests.performance.refusals import LARGEST_GROWTH_MB, weight_mb

pytestmark = pytest.mark.embedded

EACH = sized(5, 100)
CODES = {
    "chunked_100_mb": (413, "PAYLOAD_TOO_LARGE"),
    "one_byte_over_1_mb": (413, "PAYLOAD_TOO_LARGE"),
    "gzip_bomb": (415, "UNSUPPORTED_MEDIA_TYPE"),
    "depth_100k": (400, "MALFORMED_JSON"),
    "objects_100k_deep": (400, "MALFORMED_JSON"),
    "keys_1m": (413, "PAYLOAD_TOO_LARGE"),
    "keys_within_1_mb": (400, "MALFORMED_JSON"),
    "lists_within_1_mb": (400, "MALFORMED_JSON"),
    "duplicate_keys": (400, "DUPLICATE_KEY"),
    "not_a_number": (400, "MALFORMED_JSON"),
    "bad_utf8": (400, "MALFORMED_JSON"),
    "cut_short": (400, "MALFORMED_JSON"),
    "other_media_type": (415, "UNSUPPORTED_MEDIA_TYPE"),
    "header_64_kb": (431, "HEADERS_TOO_LARGE"),
    "parameters_10k": (414, "URI_TOO_LONG"),
    "parameters_within_the_line": (400, "MALFORMED_REQUEST"),
    "over_the_limit": (429, "RATE_LIMITED"),
}


class HostileRequests(EmbeddedCase):
    """Whatever is sent, the answer is a refusal with a code, and the server weighs at most 20 MB more after it."""

    def test_each_kind_is_refused_and_nothing_stays(self):
        project = copy.copy(self.stand.project)
        project.environment = self.stand.project.environment | REGISTER_ONCE
        server = self.serve(project)
        # What a worker loads with its first requests is no growth; and one registration is within the limit.
        for kind in ("cut_short", "over_the_limit"):
            send(server.port, pieces_of(kind))
        self.assertEqual(set(CODES), set(KINDS))
        for kind in KINDS:
            with self.subTest(kind):
                weight = weight_mb(server)
                answers = [send(server.port, pieces_of(kind)) for _ in range(EACH)]
                self.assertEqual({(answer.status, answer.code) for answer in answers}, {CODES[kind]})
                self.assertLessEqual(weight_mb(server) - weight, LARGEST_GROWTH_MB)
                # An endless body is not read to its end: a megabyte, and what the buffers of a connection hold.
                self.assertLess(max(answer.sent_bytes for answer in answers), 20_000_000)
