"""Names this server does not answer to; one that passed is remembered, and no other passes for it."""

import pytest
from django.test import override_settings

from tests.base import ApiTestCase

pytestmark = pytest.mark.embedded

OURS, ALSO_OURS, FOREIGN = "api.example.in", "www.example.in", "evil.example"


@override_settings(ALLOWED_HOSTS=[OURS, ALSO_OURS])
class Hosts(ApiTestCase):
    """Each request is judged by its own name and today's list, whoever came before it."""

    def status_of(self, host):
        return self.get("/api/nothing", headers={"Host": host}).status_code

    def test_who_comes_after_one_that_passed_is_judged_anew(self):
        asked = (OURS, OURS, FOREIGN, OURS, ALSO_OURS, FOREIGN, f"{OURS}:8443", f"{OURS}.evil.example")
        self.assertEqual([self.status_of(host) for host in asked], [404, 404, 400, 404, 404, 400, 404, 400])

    def test_a_refused_name_is_not_remembered_as_ours(self):
        self.assertEqual([self.status_of(FOREIGN) for _ in range(2)], [400, 400])

    def test_a_name_that_was_taken_off_the_list_is_refused(self):
        self.assertEqual(self.status_of(OURS), 404)
        with override_settings(ALLOWED_HOSTS=[ALSO_OURS]):
            self.assertEqual(self.status_of(OURS), 400)

    def test_without_the_header_the_servers_own_name_counts_each_time(self):
        for name, status in ((OURS, 404), ("evil.example", 400)):
            self.assertEqual(self.client.get("/api/nothing", SERVER_NAME=name).status_code, status)

    @override_settings(OPERATOR_NETWORKS=["127.0.0.1/32"])
    def test_probes_and_metrics_are_asked_by_address(self):
        for path in ("/health/live", "/health/detailed", "/metrics"):
            self.assertEqual(self.get(path, headers={"Host": "10.0.5.7:8000"}).status_code, 200)
        self.assertEqual(self.status_of(FOREIGN), 400)
