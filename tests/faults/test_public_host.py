"""What the proxy that we tell operators to use keeps from the public."""

import pytest

from tests.faults.client import Client
from tests.faults.form import TIMEOUT_SECONDS
from tests.faults.proxy import Proxy
from tests.faults.stand import EmbeddedCase

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(TIMEOUT_SECONDS), pytest.mark.nginx]

TOKEN = "operator-" + "t" * 40


class PublicHost(EmbeddedCase):
    """Metrics are not there, whatever the spelling and whoever asks; the server itself answers those who may."""

    def test_metrics_are_for_those_who_reach_the_server(self):
        server = self.serve(self.stand.with_environment(TRUSTED_PROXIES="127.0.0.1/32", OPERATOR_TOKEN=TOKEN))
        folder = self.stand.project.folder / f"nginx-{server.port}"
        proxy = self.enterContext(Proxy(server_port=server.port, folder=folder))
        with Client(server.port) as client:
            self.assertEqual(client.get("/metrics", token=TOKEN).status, 200)
        with Client(proxy.port) as client:
            for path in ("/metrics", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?x=1"):
                answer = client.get(path, token=TOKEN)
                self.assertEqual((answer.status, answer.code), (404, "NOT_FOUND"), path)
            self.assertEqual(client.get("/health/detailed", token=TOKEN).status, 200)
