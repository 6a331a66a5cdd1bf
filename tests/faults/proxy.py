"""nginx before a server, with the configuration we hand out: only its lines marked "yours" and its ports change."""

import os
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.faults.client import Client
from tests.ports import free_port
from tests.programs import NGINX
from tests.security.posture.test_tls import a_certificate
from tests.server import ROOT

START_SECONDS = 30

# Paths of its own, so that no nginx of this machine is touched and it needs no rights of root.
_MAIN = """
{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/koshflow.conf;
}}
"""


class Proxy:
    """A running nginx that passes `port` of loopback on to a server's. Raises RuntimeError where it does not start."""

    def __init__(self, *, server_port: int, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir()
        key, certificate = a_certificate()
        (folder / "server.key").write_bytes(key)
        (folder / "server.pem").write_bytes(certificate)
        (folder / "koshflow.conf").write_text(self._ours(server_port, folder))
        # Started by root it would serve as somebody who may not enter a test's folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user))
        self._log = folder / "error.log"
        assert NGINX is not None
        self._process = subprocess.Popen(
            [NGINX, "-p", folder, "-e", self._log, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL
        )

    def _ours(self, server_port: int, folder: Path) -> str:
        text = (ROOT / "docs" / "deploy" / "nginx.conf").read_text()
        for old, new in (
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{server_port};"),
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{free_port()} ssl;"),
            ("server_name api.example.in;", "server_name 127.0.0.1;"),
            ("/etc/ssl/certs/api.example.in.pem", f"{folder}/server.pem"),
            ("/etc/ssl/private/api.example.in.key", f"{folder}/server.key"),
        ):
            if text.count(old) != 1:
                raise RuntimeError(f"docs/deploy/nginx.conf has not one line with {old}")
            text = text.replace(old, new)
        return text

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        with Client(self.port) as client:
            while client.get("/health/live").status != 200:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"nginx did not start:\n{self._log.read_text()}")
                time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
