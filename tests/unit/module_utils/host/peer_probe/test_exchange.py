"""Real sockets between real processes, in network namespaces that vanish with the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.exchange import Exchange
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.peers import FAMILIES, Plan

COLLECTIONS = Path(__file__).resolve().parents[5] / "collections"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")
HOST = """
import json, os, sys, time
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.exchange import Exchange
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.peers import Peer, Plan, link_mtus
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
me, delay, deadline, names = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), [int(n) for n in sys.argv[4:]]
def addresses(n):
    return {"ipv4": f"10.9.{n}.1", "ipv6": f"fd09:{n}::1"}
time.sleep(delay)
links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
plan = Plan("test", f"host{me}", addresses(me),
    tuple(Peer(f"host{n}", addresses(n)) for n in names if n != me),
    24789, 4789, link_mtus(addresses(me), links), deadline)
os.write(1, (json.dumps(Exchange(plan).run()) + "\\n").encode())  # one write: hosts share the pipe
"""


def lab(tmp_path: Path, script: str, timeout: float = 60.0) -> list[dict[str, Any]]:
    """Run a shell script in fresh network and mount namespaces; returns the JSON lines that it printed."""
    program = tmp_path / "host.py"
    program.write_text(HOST, encoding="utf-8")
    done = subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-euc", "mount -t tmpfs none /run\n" + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "HOST": f"{sys.executable} {program}"},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# Hosts 1, 2, ... each in a namespace behind one router; "$1" is the number of hosts.
ROUTED = """
    ip netns add router
    ip netns exec router sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    for n in $HOSTS; do
      ip netns add h$n
      ip link add eth netns h$n type veth peer name h$n netns router
      ip -n h$n link set lo up
      ip -n h$n link set eth up
      ip -n router link set h$n up
      ip -n h$n address add 10.9.$n.1/24 dev eth
      ip -n h$n address add fd09:$n::1/64 dev eth nodad
      ip -n router address add 10.9.$n.254/24 dev h$n
      ip -n router address add fd09:$n::fe/64 dev h$n nodad
      ip -n h$n route add default via 10.9.$n.254
      ip -n h$n route add default via fd09:$n::fe
    done
"""


@needs_root
def test_three_hosts_that_start_seconds_apart_find_each_other_in_both_families(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2 3" """
        + ROUTED
        + """
        ip netns exec h1 $HOST 1 0 15 1 2 3 &
        ip netns exec h2 $HOST 2 0.5 15 1 2 3 &
        ip netns exec h3 $HOST 3 2 15 1 2 3 &
        wait
        """,
    )
    assert len(results) == 3
    for result in results:
        assert len(result["peers"]) == 2
        assert result["bind_errors"] == {}
        assert result["seconds"] < 8  # nobody waited for the deadline
        for families in result["peers"].values():
            assert list(families) == ["ipv4", "ipv6"]
            for pair in families.values():
                assert pair["reachable"] and pair["tcp"] and pair["vxlan"]
                assert pair["path_mtu"] == pair["link_mtu"] == 1500
                assert abs(pair["clock_offset_seconds"]) < 0.1  # one machine, one clock


@needs_root
def test_a_narrow_path_shows_its_mtu_in_both_families(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2" """
        + ROUTED
        + """
        ip -n router link set h2 mtu 1400
        ip netns exec h1 $HOST 1 0 15 1 2 &
        ip netns exec h2 $HOST 2 0 15 1 2 &
        wait
        """,
    )
    one = next(result for result in results if "host2" in result["peers"])
    assert [one["peers"]["host2"][family]["path_mtu"] for family in FAMILIES] == [1400, 1400]
    assert one["peers"]["host2"]["ipv4"]["link_mtu"] == 1500


@needs_root
def test_one_broken_family_leaves_the_other_and_ends_at_the_deadline(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2" """
        + ROUTED
        + """
        ip netns exec router sysctl -q -w net.ipv6.conf.all.forwarding=0
        ip netns exec h1 $HOST 1 0 3 1 2 &
        ip netns exec h2 $HOST 2 0 3 1 2 &
        wait
        """,
    )
    for result in results:
        (pair,) = result["peers"].values()
        assert pair["ipv4"]["reachable"] and pair["ipv4"]["vxlan"]
        assert not pair["ipv6"]["reachable"] and not pair["ipv6"]["tcp"] and pair["ipv6"]["path_mtu"] == 0
        assert 3 <= result["seconds"] < 5


@needs_root
def test_a_taken_vxlan_port_is_skipped_with_the_name_of_its_host(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2" """
        + ROUTED
        + """
        ip -n h2 link add vxlan.calico type vxlan id 4096 dev eth local 10.9.2.1 dstport 4789
        ip -n h2 link set vxlan.calico up
        ip netns exec h1 $HOST 1 0 15 1 2 &
        ip netns exec h2 $HOST 2 0 15 1 2 &
        wait
        """,
    )
    for result in results:
        (pair,) = result["peers"].values()
        assert pair["ipv4"]["reachable"] and not pair["ipv4"]["vxlan"]
        assert pair["ipv4"]["vxlan_skipped"] == "UDP port 4789 is taken on host2"
        assert result["seconds"] < 8


@needs_root
def test_an_absent_peer_costs_the_deadline_and_nothing_else(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2 3" """
        + ROUTED
        + """
        ip netns exec h1 $HOST 1 0 2 1 2 3 &
        ip netns exec h2 $HOST 2 0 2 1 2 3 &
        wait
        """,
    )
    for result in results:
        reachable = {name: pair["ipv6"]["reachable"] for name, pair in result["peers"].items()}
        assert reachable.pop("host3") is False
        assert list(reachable.values()) == [True]


@needs_root
def test_a_missing_address_is_reported_and_the_other_family_goes_on(tmp_path: Path) -> None:
    results = lab(
        tmp_path,
        """HOSTS="1 2" """
        + ROUTED
        + """
        ip -n h2 address del fd09:2::1/64 dev eth
        ip netns exec h1 $HOST 1 0 2 1 2 &
        ip netns exec h2 $HOST 2 0 2 1 2 &
        wait
        """,
    )
    two = next(result for result in results if "host1" in result["peers"])
    assert two["bind_errors"]["ipv6"]["udp"] == "Cannot assign requested address"
    assert two["peers"]["host1"]["ipv4"]["reachable"]
    assert two["peers"]["host1"]["ipv6"]["link_mtu"] == 0


def test_a_single_host_has_nothing_to_test() -> None:
    plan = Plan("c", "n", {"ipv4": "127.0.0.1", "ipv6": "::1"}, (), 24789, 14789, {}, 15.0)
    assert Exchange(plan).run()["peers"] == {}
