"""Group kube-proxy: the mode that it names, and the kernel's table."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import kube_proxy
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, NoServers, Probe, Servers

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, skips, without_address
from tests.unit.module_utils.verify.samples import NAMESPACE, probes_of, raw_cluster

OWN = {
    "IPv4": ("dual-ipv4-first", "dual-ipv6-first", "only-ipv4", "node-port"),
    "IPv6": ("dual-ipv4-first", "dual-ipv6-first", "only-ipv6", "node-port"),
}
NODE_PORTS = {
    "TCP 10.66.0.12:30080": frozenset({"10.244.1.4:8080", "10.244.2.4:8080"}),
    "TCP 10.96.9.5:80": frozenset({"10.244.1.4:8080", "10.244.2.4:8080"}),
}


def hexadecimal(where: str) -> str:
    """An address with its port in the kernel's spelling."""
    host, _, port = where.rpartition(":")
    address = ipaddress.ip_address(host.strip("[]"))
    text = f"{int(address):08X}" if address.version == 4 else f"[{address.exploded}]"
    return f"{text}:{int(port):04X}"


def kernel(probes: Mapping[str, Probe], without: str = "") -> list[str]:
    """/proc/net/ip_vs with everything that is expected on any node, bare of one real server."""
    lines = []
    for probe in probes.values():
        if isinstance(probe.action, Servers):
            for entry, servers in probe.action.table.items():
                protocol, _, where = entry.partition(" ")
                lines.append(f"ip_vs:{protocol}  {hexadecimal(where)} rr")
                lines += [f"ip_vs:  -> {hexadecimal(one)} Masq 1 0 0" for one in servers if one != without]
    return lines


def test_every_service_of_the_family_is_looked_for_on_both_nodes() -> None:
    probes = probes_of(kube_proxy.GROUP, plain())
    wanted = {
        f"kube-proxy/{family}/{node}/{what}"
        for family, names in OWN.items()
        for node in ("cp1", "worker1")
        for what in ("mode", "kube-system-kube-dns", *(f"{NAMESPACE}-{name}" for name in names))
    }
    # The API's own Service has one family.
    assert set(probes) == wanted | {f"kube-proxy/IPv4/{node}/default-kubernetes" for node in ("cp1", "worker1")}
    assert probes[f"kube-proxy/IPv4/worker1/{NAMESPACE}-node-port"].action == Servers(NODE_PORTS)
    assert all(probe.runner == f"host/{probe.source}" for probe in probes.values())


def test_kube_proxy_must_have_every_entry_with_its_real_servers() -> None:
    action = probes_of(kube_proxy.GROUP, raw_cluster())[f"kube-proxy/IPv6/worker1/{NAMESPACE}-node-port"].action
    servers = frozenset({"[fd66:244:0:1::4]:8080", "[fd66:244:0:2::4]:8080", "[fd66:244:0:3::4]:8080"})
    assert action == Servers({"TCP [fd66:96::905]:80": servers, "TCP [fd66::12]:30080": servers})


def test_nftables_must_have_left_nothing_of_ipvs() -> None:
    probes = probes_of(kube_proxy.GROUP, raw_cluster(), "nftables")
    assert probes["kube-proxy/IPv6/cp1/ipvs"].action == NoServers("IPv6")
    mode = probes["kube-proxy/IPv4/cp1/mode"].action
    assert isinstance(mode, Fetch)
    assert mode.bodies == {"nftables"}


def test_without_a_mode_to_compare_with_the_group_is_skipped() -> None:
    assert probes_of(kube_proxy.GROUP, plain(), "iptables") == {}
    (why,) = skips(kube_proxy.GROUP, plain(), "iptables")
    assert why.startswith("no mode to compare with: found iptables ")
    assert skips(kube_proxy.GROUP, plain(), "")[0].startswith("no mode to compare with: found none ")


def test_a_real_server_that_is_missing_is_red_in_its_family_alone() -> None:
    probes = probes_of(kube_proxy.GROUP, plain())
    assert red(probes, lambda _: [*answer("ipvs"), *kernel(probes)]) == set()
    found = red(probes, lambda _: [*answer("ipvs"), *kernel(probes, "[fd66:244:0:2::4]:8080")])
    assert found == {
        f"kube-proxy/IPv6/{node}/{NAMESPACE}-{name}" for node in ("cp1", "worker1") for name in OWN["IPv6"]
    }


def test_another_mode_than_the_expected_one_is_red() -> None:
    probes = probes_of(kube_proxy.GROUP, plain())
    found = red(probes, lambda _: [*answer("iptables"), *kernel(probes)])
    assert found == {name for name in probes if name.endswith("/mode")} and len(found) == 4


def test_what_ipvs_left_is_red_in_the_family_that_it_is_of() -> None:
    left = ["ip_vs:TCP  [fd66:0096:0000:0000:0000:0000:0000:000a]:0035 rr"]
    probes = probes_of(kube_proxy.GROUP, plain(), "nftables")
    assert red(probes, lambda _: [*answer("nftables"), *left]) == {
        "kube-proxy/IPv6/cp1/ipvs",
        "kube-proxy/IPv6/worker1/ipvs",
    }


def test_a_dns_service_of_one_family_is_red_in_the_other() -> None:
    assert failed(probes_of(kube_proxy.GROUP, without_address(plain(), "kube-dns", "IPv4"))) == {
        f"kube-proxy/IPv4/{node}/kube-system-kube-dns": ("not tried: Service kube-system/kube-dns has no IPv4 address")
        for node in ("cp1", "worker1")
    }
