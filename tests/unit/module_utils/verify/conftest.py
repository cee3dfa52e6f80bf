"""What answers to the tests of this folder."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with the path and POST with what was sent."""

    def do_GET(self) -> None:
        self._answer(self.path.encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A server per family on the loopback."""
    servers = {
        "IPv4": http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler),
        "IPv6": Server6(("::1", 0), Handler),
    }
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {family: server.server_port for family, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()
