"""What each group of the cluster requests, and which answers it accepts."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import (
    addresses,
    api_server,
    certificate,
    cluster_ip,
    dns,
    egress,
    headless,
    host_host,
    kube_proxy,
    large_packet,
    node_port,
    pod_pod,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Fetch,
    Known,
    NoServers,
    Ping,
    Query,
    Servers,
    Verdict,
)

from tests.unit.module_utils.verify.samples import NAMESPACE, probes_of, raw_cluster


def test_addresses_need_no_agent_and_have_their_outcome_already() -> None:
    assert not addresses.GROUP.agents
    raw = raw_cluster()
    raw["nodes"][2]["spec"]["podCIDRs"].pop()
    probes = probes_of(addresses.GROUP, raw)
    known = {name: probe.action for name, probe in probes.items() if isinstance(probe.action, Known)}
    assert set(known) == set(probes)
    wrong = {name: action for name, action in known.items() if not action.ok}
    assert wrong == {"addresses/IPv6/worker2/pod-network": Known(False, "found 10.244.3.0/24, expected IPv6 too")}
    (name,) = wrong
    asked = addresses.GROUP.next_command(probes[name], Verdict(False, "x"))
    assert asked == "kubectl get node worker2 -o jsonpath={.spec.podCIDRs}"


def test_hosts_are_reached_by_their_node_address() -> None:
    probes = probes_of(host_host.GROUP, raw_cluster())
    assert len(probes) == 2 * 3 * 2
    assert probes["host-host/IPv6/worker1/cp1"].action == Fetch("http://[fd66::11]:18080/hostname")


def test_a_service_of_one_family_gets_requests_in_that_family_by_pods_and_hosts() -> None:
    probes = probes_of(cluster_ip.GROUP, raw_cluster())
    assert probes["cluster-ip/IPv4/cluster/only-ipv6"].action == Known(True, "none, as requested")
    assert probes["cluster-ip/IPv6/cp1/host/only-ipv6"].runner == "host/cp1"
    assert probes["cluster-ip/IPv6/cp1/pod/only-ipv6"].action == Fetch(
        "http://[fd66:96::904]:80/hostname", bodies=frozenset({"pod-cp1", "pod-worker1", "pod-worker2"})
    )
    assert not [name for name in probes if name.startswith("cluster-ip/IPv4/cp1/") and name.endswith("only-ipv6")]


def test_node_ports_get_requests_from_outside_and_from_other_hosts() -> None:
    probes = probes_of(node_port.GROUP, raw_cluster())
    assert probes["node-port/IPv6/outside/cp1"].runner == "outside"
    assert probes["node-port/IPv4/worker1/cp1"].runner == "host/worker1"
    assert "node-port/IPv4/cp1/cp1" not in probes
    action = probes["node-port/IPv6/outside/cp1"].action
    assert isinstance(action, Fetch)
    assert action.url == "http://[fd66::11]:30080/hostname"


def test_pods_are_probed_on_one_host_and_across_hosts() -> None:
    probes = probes_of(pod_pod.GROUP, raw_cluster())
    across, same = probes["pod-pod/IPv6/cp1/worker1"].action, probes["pod-pod/IPv6/cp1/cp1"].action
    assert across == Fetch("http://[fd66:244:0:2::4]:8080/hostname", bodies=frozenset({"pod-worker1"}))
    assert same == Fetch("http://[fd66:244:0:1::5]:8080/hostname", bodies=frozenset({"peer-cp1"}))


def test_egress_expects_the_nodes_own_address_of_the_family() -> None:
    probes = probes_of(egress.GROUP, raw_cluster())
    inside, outside = probes["egress/IPv6/cp1/worker1"].action, probes["egress/IPv6/cp1/outside"].action
    assert inside == Fetch("http://[fd66::12]:18080/clientip", bodies=frozenset({"fd66::11"}), source=True)
    assert outside == Fetch("http://[fd66::1]:40000/", bodies=frozenset({"fd66::11"}), source=True)


def test_dns_queries_both_records_over_both_transports() -> None:
    probes = probes_of(dns.GROUP, raw_cluster())
    name = f"only-ipv4.{NAMESPACE}.svc.cluster.local."
    assert probes["dns/IPv6/cp1/only-ipv4/A"].action == Query("fd66:96::a", "A", name, frozenset({"10.96.9.3"}))
    assert probes["dns/IPv6/cp1/only-ipv4/AAAA"].action == Query("fd66:96::a", "AAAA", name, frozenset())
    assert probes["dns/IPv4/cp1/only-ipv4/A"].action == Query("10.96.0.10", "A", name, frozenset({"10.96.9.3"}))


def test_a_headless_name_leads_to_every_pod() -> None:
    action = probes_of(headless.GROUP, raw_cluster())["headless/IPv4/worker2/records"].action
    assert isinstance(action, Query)
    assert action.answers == {"10.244.1.4", "10.244.2.4", "10.244.3.4"}
    assert action.server == ""


def test_the_api_is_reached_in_both_families_though_its_service_has_one() -> None:
    ids = set(probes_of(api_server.GROUP, raw_cluster()))
    assert "api-server/IPv4/worker1/kubernetes" in ids
    assert "api-server/IPv6/worker1/kubernetes" not in ids
    assert "api-server/IPv6/worker1/cp1" in ids


def test_certificate_covers_addresses_from_every_host_and_names_in_both_families() -> None:
    probes = probes_of(certificate.GROUP, raw_cluster())
    assert probes["certificate/IPv6/worker1/cp1"].action == Fetch("https://[fd66::11]:6443/livez")
    for family, via in (("IPv4", "10.66.0.11:6443"), ("IPv6", "[fd66::11]:6443")):
        action = probes[f"certificate/{family}/cp1/cp1/api.twinstack.internal"].action
        assert action == Fetch("https://api.twinstack.internal:6443/livez", connect_to=via)


def test_full_size_pings_take_the_pods_own_mtu_only_in_pods() -> None:
    probes = probes_of(large_packet.GROUP, raw_cluster())
    assert probes["large-packet/IPv6/cp1/worker1/pod-ping"].action == Ping("fd66:244:0:2::4", own_mtu=True)
    assert probes["large-packet/IPv6/cp1/worker1/host-ping"].action == Ping("fd66::12", own_mtu=False)


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
