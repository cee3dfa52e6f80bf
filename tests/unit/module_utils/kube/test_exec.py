"""kube.exec against a server on the loopback that speaks the API's websocket channels."""

from __future__ import annotations

import base64
import hashlib
import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import exec as kube_exec
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client

from tests.unit.kube_server import api_server

STDOUT, STDERR, STATUS = 1, 2, 3
SUCCESS = json.dumps({"status": "Success"})
WHERE = ("demo", "one", "main")
#: What a container does: gets the command and what came on standard input so far, says text by channel.
Container = Callable[[list[str], str], dict[int, str]]


class Shell(socketserver.StreamRequestHandler):
    """One exec. container: plays the pod; paths: the requested ones, with every query."""

    container: Container
    paths: list[tuple[str, list[tuple[str, str]]]]
    headers: list[str]

    def handle(self) -> None:
        """Shake hands, then answer until the container has said its status."""
        asked = self.rfile.readline().decode().split()[1]
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        parts = urlsplit(asked)
        query = parse_qsl(parts.query)
        self.paths.append((parts.path, query))
        self.headers.append(headers.get("authorization", ""))
        if parts.path.endswith("/gone/exec"):
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
        key = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + guid).encode()).digest()).decode()
        self.wfile.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n".encode()
        )
        command, given = [value for name, value in query if name == "command"], ""
        while True:
            said = self.container(command, given)
            for channel, text in said.items():
                self._send(0x82, bytes([channel]) + text.encode())
            if STATUS in said:
                self._send(0x88, struct.pack("!H", 1000))
                return
            frame = self._receive()
            if frame is None:
                return
            given += frame

    def _send(self, opcode: int, data: bytes) -> None:
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
        self.wfile.write(bytes([opcode]) + size + data)

    def _receive(self) -> str | None:
        """Text for standard input; None when the client hangs up."""
        first = self.rfile.read(2)
        if len(first) < 2 or first[0] & 0x0F == 8:
            return None
        size = first[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.rfile.read(2))
        mask = self.rfile.read(4)
        data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size)))
        assert data[0] == 0, "standard input is the only channel that is written"
        return data[1:].decode()


class Server(socketserver.ThreadingTCPServer):
    """Many at the same time."""

    daemon_threads = True
    request_queue_size = 64


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[tuple[Client, type[Shell]]]:
    """A client whose server runs commands; set ``container`` of the second to play the pod."""
    bound = type("Bound", (Shell,), {"paths": [], "headers": [], "container": staticmethod(lambda c, g: {})})
    with api_server(tmp_path) as (_, config), Server(("127.0.0.1", 0), bound) as server:
        text = json.loads(config.read_text(encoding="utf-8"))
        text["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{server.server_address[1]}"
        config.write_text(json.dumps(text), encoding="utf-8")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Client(str(config), None, "test"), bound
        server.shutdown()
        thread.join()


def test_a_command_gets_its_input_and_its_output_comes_back(shell: tuple[Client, type[Shell]]) -> None:
    client, server = shell
    text = "x" * (2 * kube_exec.CHUNK + 5)  # in three pieces

    def count(command: list[str], given: str) -> dict[int, str]:
        return {STDOUT: f"{len(given)} ", STATUS: SUCCESS} if len(given) == len(text) else {}

    server.container = staticmethod(count)
    assert client.execute(WHERE, ["wc", "-c", "a b"], text, 10) == f"{len(text)} "
    ((path, query),) = server.paths
    assert path == "/api/v1/namespaces/demo/pods/one/exec"
    assert [value for name, value in query if name == "command"] == ["wc", "-c", "a b"]
    assert {"container": "main", "stdin": "True", "stdout": "True", "stderr": "True", "tty": "False"}.items() == {
        (name, value.capitalize() if name != "container" else value) for name, value in query if name != "command"
    }
    assert server.headers == ["Bearer test"]


def test_an_answer_is_whole_when_the_caller_says_so(shell: tuple[Client, type[Shell]]) -> None:
    """A shell that would go on is left."""
    client, server = shell
    server.container = staticmethod(lambda command, given: {STDOUT: "done END\n"})
    assert client.execute(WHERE, ["sh"], "", 10, lambda said: said.endswith("END")) == "done END\n"
    with pytest.raises(OSError, match="no whole answer in 0 s: done END"):
        client.execute(WHERE, ["sh"], "", 0.2, lambda said: said.endswith("NEVER"))


def test_a_command_that_fails_says_why(shell: tuple[Client, type[Shell]]) -> None:
    client, server = shell
    failed = json.dumps({"status": "Failure", "message": "command terminated with exit code 3"})
    said = {STDOUT: "part", STDERR: "no way; ", STATUS: failed}
    server.container = staticmethod(lambda command, given: said)
    with pytest.raises(OSError, match="no way; command terminated with exit code 3"):
        client.execute(WHERE, ["false"], "", 10)


def test_a_pod_that_is_not_there_refuses(shell: tuple[Client, type[Shell]]) -> None:
    with pytest.raises(OSError, match="exec refused: Handshake status 404"):
        shell[0].execute(("demo", "gone", "main"), ["true"], "", 10)


def test_commands_at_once_and_requests_between_them_do_not_meet(
    shell: tuple[Client, type[Shell]], tmp_path: Path
) -> None:
    """kubernetes.stream changes the client that it connects with: no other call may be sent by the websocket's way."""
    client, server = shell
    server.container = staticmethod(
        lambda command, given: {STDOUT: command[0] + given, STATUS: SUCCESS} if given else {}
    )
    own = vars(client)["_client"]
    before = own.call_api

    def one(number: int) -> str:
        said = client.execute(WHERE, [f"{number}:"], str(number), 20)
        assert own.call_api == before
        return said

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(64))) == [f"{number}:{number}" for number in range(64)]
