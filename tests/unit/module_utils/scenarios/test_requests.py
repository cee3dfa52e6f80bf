"""Requests of scenarios over either family, for real."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import http_probe, model
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import Settings

from tests.unit.module_utils.scenarios.samples import TENANTS, want


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


def test_requests_go_over_the_family_that_they_name(port: int) -> None:
    requests = [
        {
            "id": 0,
            "url": "http://x.example/a?b=c",
            "family": "IPv4",
            "connect": f"127.0.0.1:{port}",
            "find": ["x.ex", "no"],
        },
        {
            "id": 1,
            "url": "http://x.example/",
            "family": "IPv6",
            "connect": f"[::1]:{port}",
            "headers": {"version": "v2"},
        },
        {"id": 2, "url": "http://x.example/", "family": "IPv6", "connect": "127.0.0.1:1", "timeout": 1},
        {"id": 3, "url": "http://x.example/", "family": "", "connect": f"localhost:{port}"},
    ]
    done = subprocess.run(
        [sys.executable, http_probe.__file__],
        input=json.dumps(requests) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    four, six, none, either = json.loads(done.stdout)
    assert (four["status"], four["text"]) == (200, "::ffff:127.0.0.1 None x.example /a?b=c")
    assert four["found"] == {"x.ex": True, "no": False}
    assert six["text"].startswith("::1 v2 ")
    assert none["status"] == 0 and none["error"]
    assert four["tried"] and not none["tried"], "an address of the other family is none to try"
    assert either["status"] == 200


def test_it_sends_from_outside_and_keeps_repeats_together(port: int) -> None:
    sender = object.__new__(RequestSender)  # without a cluster: nothing here is sent from inside
    sender.settings = Settings(TENANTS, [], "", "", (), {}, 5, 5)
    sender.sent = {}
    items = [
        want(connect=f"127.0.0.1:{port}", repeat=3),
        model.RequestSpec("S", "IPv6", "foo", "outside", "t", "http://x/", connect=f"[::1]:{port}"),
    ]
    four, six = sender.answers(items)
    assert [answer["status"] for answer in four] == [200] * 3
    assert [answer["text"].split()[0] for answer in six] == ["::1"]
    assert sender.sent == {("foo", "IPv4"): 3, ("foo", "IPv6"): 1}
    other = model.RequestSpec("S", "IPv4", "bar", "outside", "t", "http://x/", connect=f"127.0.0.1:{port}")
    nowhere = model.RequestSpec("S", "IPv4", "bar", "outside", "t", "http://no-such-name.invalid/")
    answers = sender.answers([items[1], other, nowhere])
    assert [found["status"] for (found,) in answers] == [200, 200, 0], "each with its own, whichever comes first"
    assert not answers[2][0]["tried"]
