"""Group addresses: what lacks a family, by the API alone."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import addresses
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Known, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import failed, plain
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster


def test_every_node_its_pods_and_the_pools_are_looked_at_in_both_families() -> None:
    probes = probes_of(addresses.GROUP, plain())
    found = {name: probe.action.detail for name, probe in probes.items() if isinstance(probe.action, Known)}
    every = "every running pod has one"
    assert found == {
        "addresses/IPv4/cp1/node": "InternalIP 10.66.0.11",
        "addresses/IPv4/cp1/pod-network": "podCIDR 10.244.1.0/24",
        "addresses/IPv4/cp1/pods": every,
        "addresses/IPv4/worker1/node": "InternalIP 10.66.0.12",
        "addresses/IPv4/worker1/pod-network": "podCIDR 10.244.2.0/24",
        "addresses/IPv4/worker1/pods": every,
        "addresses/IPv4/cluster/pool": "pool 10.244.0.0/16",
        "addresses/IPv6/cp1/node": "InternalIP fd66::11",
        "addresses/IPv6/cp1/pod-network": "podCIDR fd66:244:0:1::/64",
        "addresses/IPv6/cp1/pods": every,
        "addresses/IPv6/worker1/node": "InternalIP fd66::12",
        "addresses/IPv6/worker1/pod-network": "podCIDR fd66:244:0:2::/64",
        "addresses/IPv6/worker1/pods": every,
        "addresses/IPv6/cluster/pool": "pool fd66:244::/56",
    }
    assert failed(probes) == {}


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


def test_without_calico_and_without_pod_networks_there_is_nothing_to_expect_of_them() -> None:
    raw = plain()
    raw["pools"] = None
    for item in raw["nodes"]:
        item["spec"]["podCIDRs"] = []
    assert {name.rpartition("/")[2] for name in probes_of(addresses.GROUP, raw)} == {"node", "pods"}


@pytest.mark.parametrize(("family", "number"), [("IPv4", 0), ("IPv6", 1)])
def test_a_family_that_is_gone_is_red_in_that_family_alone(family: str, number: int) -> None:
    raw = plain()
    del raw["nodes"][1]["status"]["addresses"][number]
    raw["pools"][number]["spec"]["disabled"] = True
    del raw["pods"][0]["status"]["podIPs"][number]
    assert failed(probes_of(addresses.GROUP, raw)) == {
        f"addresses/{family}/worker1/node": f"found no {family} InternalIP, expected one",
        f"addresses/{family}/cp1/pods": "found 1 without: twinstack-verify/pod-cp1",
        f"addresses/{family}/cluster/pool": f"found no enabled {family} pool, expected one",
    }
