"""Group egress: what leaves the pod network bears its node's address."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import egress
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Outside, Probe, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

TO_HOSTS = {
    "egress/IPv4/cp1/worker1": "http://10.66.0.12:18080/clientip",
    "egress/IPv4/worker1/cp1": "http://10.66.0.11:18080/clientip",
    "egress/IPv6/cp1/worker1": "http://[fd66::12]:18080/clientip",
    "egress/IPv6/worker1/cp1": "http://[fd66::11]:18080/clientip",
}
TO_OUTSIDE = {
    "egress/IPv4/cp1/outside": "http://10.66.0.1:40000/",
    "egress/IPv4/worker1/outside": "http://10.66.0.1:40000/",
    "egress/IPv6/cp1/outside": "http://[fd66::1]:40000/",
    "egress/IPv6/worker1/outside": "http://[fd66::1]:40000/",
}
NODES = {("cp1", "IPv4"): "10.66.0.11:5", ("cp1", "IPv6"): "[fd66::11]:5"}
NODES |= {("worker1", "IPv4"): "10.66.0.12:5", ("worker1", "IPv6"): "[fd66::12]:5"}


def as_node(probe: Probe) -> list[str]:
    """The other side saw the address of the pod's node."""
    return answer(NODES[probe.source, probe.family])


def test_pods_of_both_nodes_leave_for_the_other_host_and_for_outside() -> None:
    probes = probes_of(egress.GROUP, plain())
    assert urls(probes) == TO_HOSTS | TO_OUTSIDE
    assert skips(egress.GROUP, plain()) == []
    assert {probe.runner for probe in probes.values()} == {"pod/cp1", "pod/worker1"}


def test_egress_expects_the_nodes_own_address_of_the_family() -> None:
    probes = probes_of(egress.GROUP, raw_cluster())
    inside, outside = probes["egress/IPv6/cp1/worker1"].action, probes["egress/IPv6/cp1/outside"].action
    assert inside == Fetch("http://[fd66::12]:18080/clientip", bodies=frozenset({"fd66::11"}), source=True)
    assert outside == Fetch("http://[fd66::1]:40000/", bodies=frozenset({"fd66::11"}), source=True)


def test_without_a_listener_outside_other_hosts_are_all_there_is() -> None:
    for outside in (None, Outside()):
        assert urls(probes_of(egress.GROUP, plain(), outside=outside)) == TO_HOSTS
        (why,) = skips(egress.GROUP, plain(), outside=outside)
        assert why.startswith("to outside: no listener is given")
    alone = plain()
    del alone["nodes"][1]
    assert skips(egress.GROUP, alone, outside=None)[1:] == ["a single node has no other host to be seen by"]


def test_a_pods_own_address_on_the_wire_is_red_in_that_family_alone() -> None:
    """NAT of the IPv6 pool is off."""
    probes = probes_of(egress.GROUP, plain())
    assert red(probes, as_node) == set()
    found = red(probes, lambda one: answer("[fd66:244:0:1::4]:5") if one.family == "IPv6" else as_node(one))
    assert found == {name for name in TO_HOSTS | TO_OUTSIDE if "/IPv6/" in name}
    assert red(probes, as_node, "10.66.0.1") == {"egress/IPv4/cp1/outside", "egress/IPv4/worker1/outside"}


def test_a_node_without_ipv6_is_red_in_ipv6_both_as_source_and_as_target() -> None:
    raw = plain()
    del raw["nodes"][1]["status"]["addresses"][1]
    why = "not tried: node worker1 has no IPv6 address"
    assert failed(probes_of(egress.GROUP, raw)) == {
        "egress/IPv6/cp1/worker1": why,
        "egress/IPv6/worker1/cp1": why,
        "egress/IPv6/worker1/outside": why,
    }


def test_a_wrong_address_leads_to_the_pools_and_silence_to_the_route() -> None:
    probe = probes_of(egress.GROUP, plain())["egress/IPv6/cp1/outside"]
    assert "ippools" in egress.GROUP.next_command(probe, Verdict(False, "found source address 'x', expected y"))
    silent = egress.GROUP.next_command(probe, Verdict(False, "curl 28: timed out"))
    assert silent == "on cp1: ip -6 route get fd66::1; sysctl net.ipv6.conf.all.forwarding"
