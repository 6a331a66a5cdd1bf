"""A small HTTP server that receives alerts, keeps them, and says no in the ways receivers do."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.test import override_settings

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the vector of Standard Webhooks 1.0
SECRETS = [SECRET, "whsec_" + "QmFua0F1ZGl0S29zaEZsb3dBbGVydHM2NDIx"]


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int  # of our answer

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keeps what came in `got`. `status` is its answer; `trickles` makes it never end, `location` is for a redirect."""

    status: int = 200
    location: str = ""
    answer: bytes = b"ok"
    trickles: bool = False
    pause_seconds: float = 0.0  # between having it and saying so
    got: list[Received] = field(default_factory=list)

    def __enter__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = receiver.status
                receiver.got.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body, status))
                time.sleep(receiver.pause_seconds)
                self.send_response(status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", str(1000 if receiver.trickles else len(receiver.answer)))
                self.end_headers()
                for _ in range(100 if receiver.trickles else 0):
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.05)
                if not receiver.trickles:
                    self.wfile.write(receiver.answer)

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    return  # the client went away, which is what is tested

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?key=url-secret"


def channels(url: str, *names: str) -> override_settings:
    """Settings under which these channels lead to `url`."""
    every = {
        "webhook": {"ALERT_WEBHOOK_URL": url, "ALERT_WEBHOOK_SECRETS": SECRETS},
        "slack": {"ALERT_SLACK_URL": url},
        "pagerduty": {"ALERT_PAGERDUTY_KEY": "r" * 32, "ALERT_PAGERDUTY_URL": url},
        "mail": {"ALERT_MAIL_TO": ["ops@example.in"]},
    }
    chosen: dict[str, Any] = {"ALERT_PRIVATE_NETWORKS": ["127.0.0.0/8"]}
    for name in names:
        chosen |= every[name]
    return override_settings(**chosen)


def said(status: str = "firing", severity: str = "critical", rules: tuple[str, ...] = ("lockouts",)) -> dict[str, Any]:
    """A document as the evaluator writes it."""
    alerts = [
        {
            "rule": rule,
            "fingerprint": rule * 2,
            "status": status,
            "severity": severity,
            "title": "A <title> & more",
            "value": 5.0,
            "threshold": 4,
            "firedAt": "2026-11-24T12:00:00Z",
            "resolvedAt": None,
            "runbook": f"https://wiki.example.in/{rule}.md",
        }
        for rule in rules
    ]
    return {
        "type": f"alert.{status}",
        "family": "security",
        "severity": severity,
        "installation": "https://api.example.in",
        "at": "2026-11-24T12:00:00Z",
        "alerts": alerts,
    }
