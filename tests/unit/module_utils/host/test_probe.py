"""host_probe: what it reads out of sample texts, and that it reads this very machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot as host_probe_snapshot

COLLECTIONS = Path(__file__).resolve().parents[4] / "collections"


def evidence(
    config: dict[str, str] | None = None,
    loaded: tuple[str, ...] = (),
    built_in: tuple[str, ...] = (),
    available: tuple[str, ...] | None = None,
    paths: tuple[str, ...] = (),
) -> host_probe_kernel.KernelEvidence:
    """Evidence of a kernel, empty unless given."""
    modules = None if available is None else frozenset(available)
    return host_probe_kernel.KernelEvidence(config, frozenset(loaded), frozenset(built_in), modules, frozenset(paths))


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (evidence(loaded=("ip_vs",)), "loaded"),
        (evidence(built_in=("ip_vs",)), "built_in"),
        (evidence(available=("ip_vs",)), "available"),
        (evidence(config={"CONFIG_IP_VS": "y"}), "built_in"),
        (evidence(config={}), "absent"),
        (evidence(config={"CONFIG_IP_VS": "m"}, available=()), "absent"),
        (evidence(paths=("/proc/net/ip_vs",)), "built_in"),
        (evidence(available=("vxlan",)), "absent"),
        (evidence(), "unknown"),
    ],
)
def test_a_feature_is_found_by_whatever_the_kernel_shows(seen: host_probe_kernel.KernelEvidence, state: str) -> None:
    assert host_probe_kernel.features(seen)["ip_vs"]["state"] == state


def test_a_module_whose_file_is_missing_says_so() -> None:
    seen = evidence(config={"CONFIG_VXLAN": "m"}, available=("ip_vs",))
    assert host_probe_kernel.features(seen)["vxlan"]["by"].startswith("CONFIG_VXLAN=m, but no file vxlan.ko")


def test_overlay_is_also_found_among_the_file_systems() -> None:
    assert host_probe_kernel.features(evidence(paths=("overlay",)))["overlay"]["state"] == "built_in"


@pytest.mark.parametrize("path", ["kernel/net/xt_set.ko", "kernel/net/xt-set.ko.xz", "kernel/net/xt_set.ko.zst"])
def test_module_names_lose_folder_suffix_and_dashes(path: str) -> None:
    assert host_probe_kernel.module_name(path) == "xt_set"


def test_os_release_with_and_without_quotes() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n# NAME=x\n'
    assert host_probe.parse_os_release(text) == {
        "id": "debian",
        "version": "13",
        "name": "Debian GNU/Linux 13 (trixie)",
    }


def test_meminfo_is_counted_in_mebibytes() -> None:
    text = "MemTotal:        2048000 kB\nMemFree: 1 kB\nMemAvailable:    1024000 kB\n"
    assert host_probe.parse_meminfo(text) == {"total_mb": 2000, "available_mb": 1000}


@pytest.mark.parametrize(
    ("name", "stale"), [("cali12ab", True), ("kube-ipvs0", True), ("eth0", False), ("cni01", False)]
)
def test_stale_links(name: str, stale: bool) -> None:
    assert host_probe.is_stale_link(name) is stale


def test_address_flags_survive() -> None:
    shown = [
        {
            "ifname": "eth0",
            "mtu": 1450,
            "flags": ["UP", "LOWER_UP"],
            "addr_info": [
                {"family": "inet6", "local": "fd00::2", "prefixlen": 64, "scope": "global", "tentative": True}
            ],
        },
        {},
    ]
    link = host_probe_network.links(shown)["eth0"]
    assert link["mtu"] == 1450 and link["up"] and link["running"]
    assert link["addresses"] == [
        {"family": "ipv6", "address": "fd00::2", "prefix": 64, "scope": "global", "flags": ["tentative"]}
    ]


def test_listening_sockets_out_of_proc() -> None:
    lines = [
        "   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x",
        "   1: 0100007F:192B 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 x",
    ]
    found = host_probe_network.listening("tcp", "ipv4", lines, (6443,))
    assert found == [host_probe_network.Socket("tcp", 6443, "ipv4", 4711)]


LISTENER = """
import socket, sys
server = socket.socket(socket.AF_INET6)
server.bind(("::1", 10259))
server.listen()
print("listening", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_open_port_is_named_with_its_program() -> None:
    """A program goes by the name that it was called by, as links into the store of artifacts give it."""
    with subprocess.Popen(
        ["/usr/local/bin/kube-scheduler", "-c", LISTENER],
        executable=sys.executable,
        env=os.environ | {"PYTHONHOME": sys.base_prefix},  # it cannot find its library by that name
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None and program.stdout is not None
        if program.stdout.readline() != "listening\n":
            pytest.skip("port 10259 is in use here")
        found = [item for item in host_probe_network.open_ports(6443) if item["port"] == 10259]
        program.stdin.close()
    assert found == [{"protocol": "tcp", "port": 10259, "family": "ipv6", "program": "kube-scheduler"}]


SAVE = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT
-A INPUT -m comment --comment "california" -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
COMMIT
"""


def test_only_foreign_rules_and_dropping_policies_count() -> None:
    assert host_probe_network.summarise_save("iptables-legacy-save", SAVE) == [
        {"tool": "iptables-legacy-save", "table": "filter", "rules": 2, "policies": {"INPUT": "DROP"}}
    ]


def test_foreign_nft_rules_count_and_own_tables_do_not() -> None:
    items = [
        {"metainfo": {}},
        {"table": {"family": "ip", "name": "kube-proxy"}},
        {"rule": {"family": "ip", "table": "kube-proxy", "chain": "x", "expr": []}},
        {"table": {"family": "inet", "name": "firewalld"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "in", "policy": "drop"}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "in", "expr": []}},
        {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": []}},
    ]
    assert host_probe_network.summarise_nft(json.dumps({"nftables": items}), ["ip filter"]) == [
        {"tool": "nft", "table": "inet firewalld", "rules": 1, "policies": {"in": "DROP"}}
    ]


def test_this_machine_is_read_in_under_a_second_and_as_plain_data() -> None:
    started = time.monotonic()
    found = host_probe.observe(6443, "/var/lib/no-such-folder/prometheus")
    assert time.monotonic() - started < 3  # a second when idle
    assert json.loads(json.dumps(found))["architecture"] == os.uname().machine
    assert (
        found["memory"]["total_mb"] > 0 and found["cpus"] > 0 and found["metrics_disk_gb"] >= found["disk_free_gb"] > 0
    )
    assert "lo" in found["links"]
    assert set(found["features"]) == set(host_probe_kernel.FEATURES)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="makes a network namespace")
def test_two_snapshots_are_equal_until_something_changes() -> None:
    script = """
import json, subprocess
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot
first = snapshot.take()
second = snapshot.take()
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "route", "add", "blackhole", "10.9.0.0/16"], check=True)
subprocess.run(["ip", "-6", "route", "add", "blackhole", "fd09::/56"], check=True)
print(json.dumps([snapshot.differences(first, second), snapshot.differences(second, snapshot.take())]))
"""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    untouched, changed = json.loads(done.stdout)
    assert untouched == []
    text = "\n".join(changed)
    assert "routes: ipv4 blackhole 10.9.0.0/16: new" in text
    assert "routes: ipv6 blackhole fd09::/56" in text
    assert "links: lo: was" in text


def test_empty_accepting_tables_and_counters_are_no_difference() -> None:
    text = "*nat\n:INPUT ACCEPT [5:300]\nCOMMIT\n*filter\n:FORWARD ACCEPT [1:2]\n[7:420] -A FORWARD -j ACCEPT\nCOMMIT\n"
    assert host_probe_snapshot.normalised_save("t", text) == {"t filter 00001 -A FORWARD -j ACCEPT": "rule"}


def test_differences_name_subject_and_both_values() -> None:
    before = {"files": {"/etc/a": "1", "/etc/b": "1"}}
    after = {"files": {"/etc/a": "2", "/etc/c": "1"}}
    assert host_probe_snapshot.differences(before, after) == [
        "files: /etc/a: was 1, is 2",
        "files: /etc/b: gone (was 1)",
        "files: /etc/c: new (1)",
    ]
