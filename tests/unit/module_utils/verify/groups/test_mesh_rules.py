"""Group mesh-rules: istio-cni's rules of each family in a pod."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_rules
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Redirects

from tests.unit.module_utils.verify.groups.two_nodes import meshed, plain, red
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh

OUT = "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"
IN = "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006"


def test_the_pod_on_the_worker_is_looked_into_once_for_each_family() -> None:
    probes = probes_of(mesh_rules.GROUP, meshed())
    assert {name: probe.action for name, probe in probes.items()} == {
        "mesh-rules/IPv4/worker1/proxy": Redirects("IPv4"),
        "mesh-rules/IPv6/worker1/proxy": Redirects("IPv6"),
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}
    assert {probe.runner for probe in probes_of(mesh_rules.GROUP, raw_mesh()).values()} == {
        "mesh/worker1",
        "mesh/worker2",
    }


def test_without_a_mesh_there_is_nothing_to_look_into() -> None:
    assert probes_of(mesh_rules.GROUP, plain()) == {}


@pytest.mark.parametrize("left", [(), (OUT,), (IN,)], ids=["none", "out", "in"])
def test_rules_that_one_family_lacks_are_red_in_that_family_alone(left: tuple[str, ...]) -> None:
    probes = probes_of(mesh_rules.GROUP, meshed())
    assert red(probes, lambda _: [f"r0:{OUT}", f"r0:{IN}"]) == set()
    rules = {"IPv4": (OUT, IN), "IPv6": left}
    assert red(probes, lambda one: [f"r0:{rule}" for rule in rules[one.family]]) == {"mesh-rules/IPv6/worker1/proxy"}
