"""What answers to the tests of this folder."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Page(BaseHTTPRequestHandler):
    """Answers with the caller and one of its headers."""

    def do_GET(self) -> None:
        """Answer."""
        body = f"{self.client_address[0]} {self.headers.get('version')} {self.headers.get('host')} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """On both families of the loopback."""

    address_family = socket.AF_INET6


@pytest.fixture
def port() -> Iterator[int]:
    """A server's port on both families."""
    with Server(("::", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
