"""Group large-packet: full-size packets between pods and between hosts."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import large_packet
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Ping, Probe
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import LARGE_BYTES

from tests.unit.module_utils.verify.groups.two_nodes import connected_to, failed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

ADDRESSES = {
    ("IPv4", "cp1", "worker1"): {"pod": "10.244.2.4", "host": "10.66.0.12"},
    ("IPv4", "worker1", "cp1"): {"pod": "10.244.1.4", "host": "10.66.0.11"},
    ("IPv6", "cp1", "worker1"): {"pod": "fd66:244:0:2::4", "host": "fd66::12"},
    ("IPv6", "worker1", "cp1"): {"pod": "fd66:244:0:1::4", "host": "fd66::11"},
}


def told(probe: Probe, received: int = LARGE_BYTES) -> list[str]:
    """What the shell prints where all goes through. received: bytes that came back."""
    if isinstance(probe.action, Ping):
        return ["p0:mtu 1450", "p0:1400 bytes from x: icmp_seq=1 ttl=62 time=0.8 ms"]
    return [f"curl:0\t200\t0\t0.02\t192.0.2.1\t192.0.2.2\t{LARGE_BYTES}\t{received}\t"]


def test_pods_and_hosts_of_both_nodes_send_large_packets_by_each_address() -> None:
    probes = probes_of(large_packet.GROUP, plain())
    assert {name: connected_to(probe) for name, probe in probes.items()} == {
        f"large-packet/{family}/{one}/{other}/{kind}-{what}": address
        for (family, one, other), addresses in ADDRESSES.items()
        for kind, address in addresses.items()
        for what in ("transfer", "ping")
    }
    transfers = urls(probes)
    assert set(transfers) == {name for name in probes if name.endswith("-transfer")}
    for name, where in transfers.items():
        action = probes[name].action
        assert isinstance(action, Fetch) and action.large
        assert where.endswith(":8080/echo" if "pod-" in name else ":18080/echo")
    assert {probe.runner for probe in probes.values()} == {"pod/cp1", "pod/worker1", "host/cp1", "host/worker1"}


def test_full_size_pings_take_the_pods_own_mtu_only_in_pods() -> None:
    probes = probes_of(large_packet.GROUP, raw_cluster())
    assert probes["large-packet/IPv6/cp1/worker1/pod-ping"].action == Ping("fd66:244:0:2::4", own_mtu=True)
    assert probes["large-packet/IPv6/cp1/worker1/host-ping"].action == Ping("fd66::12", own_mtu=False)


def test_a_single_node_is_skipped_with_the_reason() -> None:
    raw = plain()
    del raw["nodes"][1]
    assert probes_of(large_packet.GROUP, raw) == {}
    assert skips(large_packet.GROUP, raw) == ["a single node has no path to another"]
    assert skips(large_packet.GROUP, plain()) == []


def test_a_path_that_swallows_large_packets_is_red_in_its_family_and_direction() -> None:
    probes = probes_of(large_packet.GROUP, plain())
    assert red(probes, told) == set()
    assert red(probes, told, "fd66:244:0:2::4") == {
        "large-packet/IPv6/cp1/worker1/pod-transfer",
        "large-packet/IPv6/cp1/worker1/pod-ping",
    }
    assert red(probes, lambda probe: told(probe, LARGE_BYTES - 1)) == set(urls(probes))


def test_a_pod_without_ipv6_is_red_in_ipv6_by_both_means() -> None:
    raw = plain()
    (pod,) = (item for item in raw["pods"] if item["metadata"]["name"] == "pod-worker1")
    del pod["status"]["podIPs"][1]
    assert failed(probes_of(large_packet.GROUP, raw)) == {
        f"large-packet/IPv6/cp1/worker1/pod-{what}": "not tried: pod pod-worker1 has no IPv6 address"
        for what in ("transfer", "ping")
    }
