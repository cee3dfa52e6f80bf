"""Group dns: both records of every Service over each family's transport."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import dns
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Probe, Query

from tests.unit.module_utils.verify.groups.two_nodes import failed, plain, red, skips, without_address
from tests.unit.module_utils.verify.samples import NAMESPACE, probes_of, raw_cluster

SERVERS = {"IPv4": "10.96.0.10", "IPv6": "fd66:96::a"}
RECORDS = {
    ("dual-ipv4-first", "A"): {"10.96.9.1"},
    ("dual-ipv4-first", "AAAA"): {"fd66:96::901"},
    ("dual-ipv6-first", "A"): {"10.96.9.2"},
    ("dual-ipv6-first", "AAAA"): {"fd66:96::902"},
    ("only-ipv4", "A"): {"10.96.9.3"},
    ("only-ipv4", "AAAA"): set(),
    ("only-ipv6", "A"): set(),
    ("only-ipv6", "AAAA"): {"fd66:96::904"},
}


def told(probe: Probe, extra: str = "") -> list[str]:
    """What the shell prints where DNS has the right records, and one more AAAA for everything."""
    action = probe.action
    assert isinstance(action, Query)
    service = action.name.partition(".")[0]
    addresses = RECORDS[service, action.kind] | ({extra} if extra and action.kind == "AAAA" else set())
    lines = [";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1", ";; ANSWER SECTION:"]
    lines += [f"{action.name} 30 IN {action.kind} {address}" for address in addresses]
    return [f"q0:{line}" for line in lines]


def test_both_nodes_query_every_record_by_both_addresses_of_the_dns_service() -> None:
    probes = probes_of(dns.GROUP, plain())
    assert {name: probe.action for name, probe in probes.items()} == {
        f"dns/{family}/{node}/{service}/{kind}": Query(
            server, kind, f"{service}.{NAMESPACE}.svc.cluster.local.", frozenset(answers)
        )
        for family, server in SERVERS.items()
        for node in ("cp1", "worker1")
        for (service, kind), answers in RECORDS.items()
    }
    assert {probe.runner for probe in probes.values()} == {"pod/cp1", "pod/worker1"}


def test_dns_queries_both_records_over_both_transports() -> None:
    probes = probes_of(dns.GROUP, raw_cluster())
    name = f"only-ipv4.{NAMESPACE}.svc.cluster.local."
    assert probes["dns/IPv6/cp1/only-ipv4/A"].action == Query("fd66:96::a", "A", name, frozenset({"10.96.9.3"}))
    assert probes["dns/IPv6/cp1/only-ipv4/AAAA"].action == Query("fd66:96::a", "AAAA", name, frozenset())
    assert probes["dns/IPv4/cp1/only-ipv4/A"].action == Query("10.96.0.10", "A", name, frozenset({"10.96.9.3"}))


def test_without_a_dns_service_the_group_is_skipped_with_the_reason() -> None:
    raw = plain()
    raw["services"] = [item for item in raw["services"] if item["metadata"]["name"] != "kube-dns"]
    assert probes_of(dns.GROUP, raw) == {}
    assert skips(dns.GROUP, raw) == ["the cluster has no Service kube-system/kube-dns"]


def test_a_silent_transport_is_red_whatever_the_record() -> None:
    probes = probes_of(dns.GROUP, plain())
    assert red(probes, told) == set()
    assert red(probes, told, SERVERS["IPv6"]) == {name for name in probes if name.startswith("dns/IPv6/")}


def test_a_record_that_should_not_be_there_is_red_over_both_transports() -> None:
    """The family of the record is not that of the probe."""
    probes = probes_of(dns.GROUP, plain())
    found = red(probes, lambda probe: told(probe, "fd66:96::bad"))
    assert found == {name for name in probes if name.endswith("/AAAA")}
    assert {name.split("/")[1] for name in found} == {"IPv4", "IPv6"}


def test_a_dns_service_of_one_family_is_red_in_the_other() -> None:
    found = failed(probes_of(dns.GROUP, without_address(plain(), "kube-dns", "IPv4")))
    assert set(found) == {name for name in probes_of(dns.GROUP, plain()) if name.startswith("dns/IPv4/")}
    assert set(found.values()) == {"not tried: Service kube-system/kube-dns has no IPv4 address"}
