"""Host keys are taken from real SSH servers on both loopback addresses."""

from __future__ import annotations

import contextlib
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh import host_keys
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh.host_keys import Host, Key

RSA = paramiko.RSAKey.generate(2048)
ECDSA = paramiko.ECDSAKey.generate()
OTHER_ECDSA = paramiko.ECDSAKey.generate()
LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}


def public(key: paramiko.PKey) -> Key:
    return Key(key.get_name(), key.get_base64())


def serve(listener: socket.socket, keys: Sequence[paramiko.PKey]) -> None:
    """Answer every connection with the given host keys until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        transport = paramiko.Transport(connection)
        transport.set_log_channel("twinstack.host_keys")
        for key in keys:
            transport.add_server_key(key)
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())


@pytest.fixture
def servers() -> Iterator[Callable[..., int]]:
    """Starts one server per family on one port: ``servers(ipv4_keys, ipv6_keys)``; None leaves a family silent."""
    listeners: list[socket.socket] = []

    def listen(family: str, port: int) -> socket.socket:
        kind = socket.AF_INET if family == "ipv4" else socket.AF_INET6
        listener = socket.create_server((LOOPBACK[family], port), family=kind)
        listeners.append(listener)
        return listener

    def start(ipv4: Sequence[paramiko.PKey] | None, ipv6: Sequence[paramiko.PKey] | None) -> int:
        port = 0
        for family, keys in (("ipv4", ipv4), ("ipv6", ipv6)):
            if keys is not None:
                listener = listen(family, port)
                port = listener.getsockname()[1]
                threading.Thread(target=serve, args=(listener, keys), daemon=True).start()
        return port

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_all_kinds_of_keys_are_seen_over_both_families(servers: Callable[..., int]) -> None:
    port = servers([RSA, ECDSA], [RSA, ECDSA])
    keys, findings = host_keys.collect(Host("web", LOOPBACK, port), 5)
    assert not findings
    assert keys == {public(RSA), public(ECDSA)}


def test_another_key_in_one_family_is_an_error(servers: Callable[..., int]) -> None:
    port = servers([ECDSA], [OTHER_ECDSA])
    _, findings = host_keys.collect(Host("web", LOOPBACK, port), 5)
    assert [(finding.where, finding.field) for finding in findings] == [("web", "ipv6")]
    assert public(OTHER_ECDSA).fingerprint() in findings[0].found
    assert public(ECDSA).fingerprint() in findings[0].expected


@pytest.mark.parametrize("silent", ["ipv4", "ipv6"])
def test_a_silent_family_is_an_error(servers: Callable[..., int], silent: str) -> None:
    port = servers(*(None if family == silent else [ECDSA] for family in LOOPBACK))
    _, findings = host_keys.collect(Host("web", LOOPBACK, port), 5)
    assert [finding.field for finding in findings] == [silent]
    assert "refused" in findings[0].found


@pytest.mark.parametrize("missing", ["ipv4", "ipv6"])
def test_a_missing_family_is_an_error(missing: str) -> None:
    _, findings = host_keys.host_from_variables("web", {k: v for k, v in LOOPBACK.items() if k != missing})
    assert [(finding.where, finding.field) for finding in findings] == [("web", missing)]


def test_a_proxy_command_is_used_and_gets_address_and_port(servers: Callable[..., int], tmp_path: Path) -> None:
    port = servers([ECDSA], None)
    log = tmp_path / "log"
    proxy = f"echo '%h %p %%' >> {log}; exec socat STDIO TCP4:127.0.0.1:{port}"
    host = Host("far", {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}, 2222, proxy=f'sh -c "{proxy}"')
    keys, findings = host_keys.collect(host, 5)
    assert (keys, findings) == ({public(ECDSA)}, [])
    assert set(log.read_text().splitlines()) == {"192.0.2.1 2222 %", "2001:db8::1 2222 %"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ""),
        ("-o StrictHostKeyChecking=yes", ""),
        ('-o ProxyCommand="nsenter --net=/run/netns/x nc %h %p"', "nsenter --net=/run/netns/x nc %h %p"),
        ("-o 'ProxyCommand nc %h %p'", "nc %h %p"),
        ("-oProxyCommand='nc -x a=b %h %p'", "nc -x a=b %h %p"),
        ("-o ProxyCommand=none", ""),
        ("-C -J ops@bastion", "ssh -W [%h]:%p ops@bastion"),
        ("-o ProxyJump=bastion", "ssh -W [%h]:%p bastion"),
    ],
)
def test_proxy_command_is_found_in_ssh_arguments(arguments: str, expected: str) -> None:
    assert host_keys.proxy_command(arguments) == expected


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    # ssh-keygen -lf on this public key.
    text = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    assert Key("ssh-ed25519", text).fingerprint() == "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"


class TestCompare:
    host = Host("web", {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"})

    def compare(self, shown: set[Key], text: str) -> host_keys.Comparison:
        return host_keys.compare([self.host], {"web": shown}, text)

    def test_new_then_known(self) -> None:
        first = self.compare({public(ECDSA)}, "")
        assert first.new == {"web": [public(ECDSA)]}
        assert first.content == f"web,192.0.2.1,2001:db8::1 {ECDSA.get_name()} {ECDSA.get_base64()}\n"
        again = self.compare({public(ECDSA)}, first.content)
        assert (again.new, again.altered, again.content) == ({}, {}, first.content)

    def test_another_key_is_altered_and_replaces_the_old_one(self) -> None:
        before = self.compare({public(ECDSA)}, "").content
        after = self.compare({public(OTHER_ECDSA)}, before)
        assert after.altered == {"web": [public(OTHER_ECDSA)]}
        assert ECDSA.get_base64() not in after.content

    def test_only_another_kind_is_altered(self) -> None:
        before = self.compare({public(ECDSA)}, "").content
        assert self.compare({public(RSA)}, before).altered == {"web": [public(RSA)]}

    def test_one_more_kind_beside_a_known_key_is_known(self) -> None:
        before = self.compare({public(ECDSA)}, "").content
        after = self.compare({public(ECDSA), public(RSA)}, before)
        assert (after.new, after.altered) == ({}, {})
        assert RSA.get_base64() in after.content

    def test_entries_of_others_stay(self) -> None:
        text = f"# note\nbastion {RSA.get_name()} {RSA.get_base64()}\n"
        assert self.compare({public(ECDSA)}, text).content.startswith(text)

    def test_another_port_is_written_in_brackets(self) -> None:
        host = Host("web", LOOPBACK, 2222)
        assert host.names() == ["[web]:2222", "[127.0.0.1]:2222", "[::1]:2222"]


class TestPlaybook:
    @pytest.fixture
    def environment(self, tmp_path: Path, servers: Callable[..., int]) -> Path:
        """An inventory of one host whose servers listen on both loopback addresses."""
        self.write(tmp_path, servers([ECDSA], [ECDSA]))
        return tmp_path

    def write(self, folder: Path, port: int) -> None:
        """Write the inventory."""
        host = LOOPBACK | {"ansible_host": "127.0.0.1", "ansible_port": port}
        groups: dict[str, Any] = {"control_plane": {"hosts": {"web": host}}, "worker": {"hosts": {}}}
        variables = {
            "primary_family": "ipv4",
            "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
            "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
        }
        inventory = {"all": {"vars": variables, "children": groups}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def test_asks_accepts_and_refuses_a_changed_key(
        self, environment: Path, servers: Callable[..., int], playbook: Callable[..., Any]
    ) -> None:
        file = environment / ".known_hosts"
        # The inventory is no whole one: it has no worker, and its host is this machine.
        checked = ("-e", "validate_inventory_done=true")
        play = ("playbooks/trust_hosts.yml", "-i", environment / "hosts.yml", *checked)
        refused = playbook(*play)
        assert refused.code
        assert "no yes" in refused.output
        assert public(ECDSA).fingerprint() in refused.output
        assert not file.exists()

        assert "changed=1" in playbook(*play, "-e", "ssh_known_hosts_accept=true").succeeded().output
        accepted = file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert ECDSA.get_base64() in accepted
        assert "changed=0" in playbook(*play).succeeded().output

        stranger = servers([OTHER_ECDSA], [OTHER_ECDSA])
        self.write(environment, stranger)
        file.write_text(re.sub(r"\]:\d+", f"]:{stranger}", accepted))
        refused = playbook(*play, "-e", "ssh_known_hosts_accept=true")
        assert refused.code
        assert "CHANGED" in refused.output
        assert "ssh_known_hosts_accept_changed=true" in refused.output
        assert OTHER_ECDSA.get_base64() not in file.read_text()
        playbook(*play, "-e", "ssh_known_hosts_accept_changed=true").succeeded()
        assert OTHER_ECDSA.get_base64() in file.read_text()
