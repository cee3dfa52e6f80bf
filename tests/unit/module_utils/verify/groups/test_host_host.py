"""Group host-host: hosts reach each other by their node addresses."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import host_host
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, small, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster


def test_each_host_gets_a_request_from_the_other_by_each_of_its_addresses() -> None:
    probes = probes_of(host_host.GROUP, plain())
    assert urls(probes) == {
        "host-host/IPv4/cp1/worker1": "http://10.66.0.12:18080/hostname",
        "host-host/IPv4/worker1/cp1": "http://10.66.0.11:18080/hostname",
        "host-host/IPv6/cp1/worker1": "http://[fd66::12]:18080/hostname",
        "host-host/IPv6/worker1/cp1": "http://[fd66::11]:18080/hostname",
    }
    assert {name: probe.runner for name, probe in probes.items()} == {
        f"host-host/{family}/{one}/{other}": f"host/{one}"
        for family in ("IPv4", "IPv6")
        for one, other in (("cp1", "worker1"), ("worker1", "cp1"))
    }


def test_hosts_are_reached_by_their_node_address() -> None:
    probes = probes_of(host_host.GROUP, raw_cluster())
    assert len(probes) == 2 * 3 * 2
    assert probes["host-host/IPv6/worker1/cp1"].action == Fetch("http://[fd66::11]:18080/hostname")


def test_a_single_node_has_nobody_to_reach() -> None:
    raw = small(raw_cluster())
    raw["nodes"].pop()
    assert probes_of(host_host.GROUP, raw) == {}


def test_an_address_that_does_not_answer_is_red_for_whoever_reaches_for_it() -> None:
    probes = probes_of(host_host.GROUP, plain())
    assert red(probes, lambda _: answer("worker1")) == set()
    assert red(probes, lambda _: answer("worker1"), "fd66::12") == {"host-host/IPv6/cp1/worker1"}
    assert red(probes, lambda _: answer("worker1"), "10.66.0.11") == {"host-host/IPv4/worker1/cp1"}


def test_an_agent_that_does_not_run_is_red_in_both_families_and_says_why() -> None:
    raw = plain()
    (agent,) = (item for item in raw["pods"] if item["metadata"]["name"] == "host-worker1")
    agent["status"] = {"phase": "Pending"}
    assert failed(probes_of(host_host.GROUP, raw)) == {
        f"host-host/{family}/cp1/worker1": "not tried: host/worker1 does not run: Pending"
        for family in ("IPv4", "IPv6")
    }
