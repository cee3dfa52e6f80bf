"""api_tunnel: the ssh command of a host, and whether an API answers."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.action import api_tunnel
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding


def test_ssh_uses_the_hosts_own_settings() -> None:
    variables = {
        "inventory_hostname": "cp1",
        "ansible_host": "fd66::11",
        "ansible_user": "ops",
        "ansible_port": 2222,
        "ansible_ssh_common_args": "-o UserKnownHostsFile='/env/known hosts' -o ProxyCommand='nc %h %p'",
        "ansible_ssh_private_key_file": "/keys/id",
    }
    words = api_tunnel.ssh_command(variables, Path("/run/s"), ["-O", "check"])
    assert words[:3] == ["ssh", "-S", "/run/s"]
    assert words[-3:] == ["-O", "check", "fd66::11"]
    assert "UserKnownHostsFile=/env/known hosts" in words
    assert "ProxyCommand=nc %h %p" in words
    assert words[words.index("-i") + 1] == "/keys/id"
    assert words[words.index("-p") + 1] == "2222"
    assert words[words.index("-l") + 1] == "ops"
    assert "BatchMode=yes" in words, "a question nobody sees would hang the run"
    assert words.index("ProxyCommand=nc %h %p") < words.index("ConnectTimeout=10"), (
        "what the inventory says comes first"
    )
    assert {"ServerAliveInterval=5", "ServerAliveCountMax=2"} < set(words)
    assert not any("StrictHostKeyChecking" in word for word in words), "host keys stay as strict as the inventory says"


def test_the_kubeconfig_goes_through_the_tunnel_and_is_private(tmp_path: Path) -> None:
    admin = "clusters:\n- cluster:\n    server: https://api.example:6443\n  name: x\n"
    text = api_tunnel.local_kubeconfig(admin, 16443, 6443)
    assert "    server: https://127.0.0.1:16443\n" in text
    assert text.startswith("# Goes through an SSH tunnel")
    path = tmp_path / "artifacts" / "kubeconfig"
    assert api_tunnel.write_private(path, text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not api_tunnel.write_private(path, text)
    path.chmod(0o644)
    assert api_tunnel.write_private(path, text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["kubeconfig"]


def test_a_host_without_settings_is_reached_by_its_name() -> None:
    assert api_tunnel.ssh_command({"inventory_hostname": "cp1"}, Path("/s"), [])[-1] == "cp1"


class Ssh:
    """ssh to a host whose power is cut: each try to connect takes ConnectTimeout. words: of each start."""

    def __init__(self, fails: int = 1000, error: bytes = b"Connection timed out", took: float = 10.0) -> None:
        self.now, self.fails, self.error, self.took = 100.0, fails, error, took
        self.words: list[tuple[str, ...]] = []
        self.open = False

    def __call__(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        self.words.append(words)
        if words == ("-O", "check"):
            return subprocess.CompletedProcess(words, 0 if self.open else 255, b"", b"")
        self.open = "-L" in words and self.fails <= 0
        if "-L" in words and not self.open:
            self.fails -= 1
            self.now += self.took
            return subprocess.CompletedProcess(words, 255, b"", self.error)
        return subprocess.CompletedProcess(words, 0, b"", b"")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def opened(self, folder: Path, answers: Callable[[], bool]) -> Finding | None:
        """What comes of it within the 120 s that an API may take."""
        forward = "127.0.0.1:16443:[fd66::11]:6443"
        clock, sleep = (lambda: self.now), self.sleep
        return api_tunnel.opened(self, folder / "s", forward, answers, "cp1", 120.0, clock, sleep)


@pytest.mark.parametrize("took", [0.0, 3.0, 10.0])
def test_a_control_plane_that_is_dead_is_named_within_30_s(tmp_path: Path, took: float) -> None:
    """Whether connecting to it fails at once or takes all its time, and whether its tunnel is still there."""
    for still_open in (False, True):
        ssh = Ssh(took=took)
        ssh.open = still_open
        found = ssh.opened(tmp_path, lambda: False)
        assert found is not None and ssh.now - 100 < 27
        assert found.line().startswith("cp1: SSH: found Connection timed out; expected a tunnel to the API. Try: ")


def test_a_connection_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    """It may have broken by itself."""
    assert Ssh(fails=1).opened(tmp_path, lambda: True) is None


def test_an_api_that_starts_is_waited_for(tmp_path: Path) -> None:
    """As long as the host lets ssh in."""
    ssh = Ssh(fails=0)
    assert ssh.opened(tmp_path, lambda: ssh.now > 190) is None
    ssh = Ssh(fails=0)
    found = ssh.opened(tmp_path, lambda: False)
    assert found is not None and 220 <= ssh.now < 223
    assert "cp1: API: found no answer through 127.0.0.1:16443 within 120 s" in found.line()


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[tuple[int, list[int]]]:
    """A TLS server on the loopback that answers /livez with the first status of a list."""
    statuses = [200]
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    request += ["-subj", "/CN=test", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")]
    subprocess.run(request, check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[0])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, statuses
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "answers"), [(200, True), (401, True), (403, True), (500, False), (404, False)])
def test_an_api_that_lives_answers(tls_port: tuple[int, list[int]], status: int, answers: bool) -> None:
    port, statuses = tls_port
    statuses[0] = status
    assert api_tunnel.api_answers(port) is answers


def test_a_closed_port_and_a_silent_one_do_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert not api_tunnel.api_answers(port), "closed"
        silent.listen()
        assert not api_tunnel.api_answers(port), "accepts and says nothing"
