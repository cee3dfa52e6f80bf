"""A host's network: links, routes, ports and firewall rules, out of sample texts and of this very machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network


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


def test_listening_sockets_of_ipv6_and_of_udp() -> None:
    """An unconnected UDP socket has another state than a listening TCP socket."""
    nowhere = "0" * 32
    lines = [
        f"   0: {nowhere}:12B5 {nowhere}:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 x",
        f"   1: {nowhere}:12B5 {nowhere}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 2 x",
        "   2: short",
    ]
    found = host_probe_network.listening("udp", "ipv6", lines, (4789,))
    assert found == [host_probe_network.Socket("udp", 4789, "ipv6", 0)]
    assert host_probe_network.listening("udp", "ipv6", lines, (4790,)) == []


def test_a_vxlan_link_bears_its_port_and_an_address_its_family() -> None:
    shown: list[dict[str, Any]] = [
        {
            "ifname": "vxlan.calico",
            "linkinfo": {"info_kind": "vxlan", "info_data": {"port": 4789}},
            "addr_info": [{"family": "inet", "local": "10.244.0.1", "prefixlen": 32}, {"family": "inet6"}],
        }
    ]
    link = host_probe_network.links(shown)["vxlan.calico"]
    assert (link["kind"], link["vxlan_port"], link["up"], link["mtu"]) == ("vxlan", 4789, False, 0)
    assert link["addresses"] == [{"family": "ipv4", "address": "10.244.0.1", "prefix": 32, "scope": "", "flags": []}]


def test_routes_of_both_families_are_plain_and_not_endless() -> None:
    shown: list[dict[str, Any]] = [
        {"dst": "default", "gateway": "fe80::1", "dev": "eth0", "protocol": "ra"},
        {"dst": "10.244.1.0/26", "type": "blackhole", "protocol": 80},
        {"dev": "eth1"},
    ]
    assert host_probe_network.routes(shown) == [
        {"destination": "default", "type": "unicast", "device": "eth0", "gateway": "fe80::1", "protocol": "ra"},
        {"destination": "10.244.1.0/26", "type": "blackhole", "device": "", "gateway": "", "protocol": "80"},
    ]
    assert len(host_probe_network.routes([{"dst": "default"}] * 5000)) == host_probe_network.MAX_ROUTES


@pytest.mark.parametrize(
    "argv", [["sh", "-c", "echo half; exit 1"], ["no-such-command"], ["sh", "-c", "echo half; sleep 5"]]
)
def test_a_command_that_fails_has_no_output(argv: list[str]) -> None:
    assert host_probe_network.output(argv, timeout=0.3) == ""
    assert host_probe_network.output(["cat"], stdin="whole") == "whole"


@pytest.mark.parametrize(("text", "found"), [('[{"a": 1}, {}, 2]', [{"a": 1}]), ("no JSON", []), ("", [])])
def test_only_objects_of_a_list_are_taken(text: str, found: list[dict[str, Any]]) -> None:
    assert host_probe_network.json_output(["printf", "%s", text]) == found


def test_a_firewall_is_read_by_tools_that_load_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """nft is asked only when the kernel has nf_tables, and not for the tables that iptables shows in full."""
    nft = json.dumps(
        {
            "nftables": [
                {"rule": {"family": family, "table": table, "chain": "x", "expr": []}}
                for family, table in (("ip", "filter"), ("ip6", "filter"), ("inet", "own"))
            ]
        }
    )
    rule = "*filter\n-A INPUT -j DROP\n"
    said = {"iptables-nft-save": rule, "ip6tables-nft-save": rule, "nft": nft, "ip6tables-legacy-save": rule}
    asked: list[str] = []

    def output(argv: list[str]) -> str:
        asked.append(argv[0])
        return said[argv[0]]

    monkeypatch.setattr(host_probe_network, "output", output)
    monkeypatch.setattr(shutil, "which", lambda tool: tool if tool in said else None)
    found = host_probe_network.firewall(lambda module: module == "nf_tables")
    assert [(table["tool"], table["table"], table["rules"]) for table in found] == [
        ("iptables-nft-save", "filter", 1),
        ("ip6tables-nft-save", "filter", 1),
        ("nft", "inet own", 1),
        ("ip6tables-legacy-save", "filter", 1),
    ]
    asked.clear()
    assert [table["tool"] for table in host_probe_network.firewall(lambda _module: False)] == ["ip6tables-legacy-save"]
    assert asked == ["ip6tables-legacy-save"]


def test_a_ruleset_that_is_no_json_has_no_tables() -> None:
    assert host_probe_network.summarise_nft("no JSON") == host_probe_network.summarise_nft("") == []
