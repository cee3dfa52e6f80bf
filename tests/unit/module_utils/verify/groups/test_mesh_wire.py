"""Group mesh-wire: the family between the proxies."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_wire
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, meshed, plain, red, urls, without_address
from tests.unit.module_utils.verify.samples import probes_of, raw_mesh

HANDED_ON = {"IPv4": "127.0.0.6:41233", "IPv6": "[::6]:41233"}


def test_each_family_has_the_service_that_has_it_alone() -> None:
    probes = probes_of(mesh_wire.GROUP, meshed())
    assert urls(probes) == {
        "mesh-wire/IPv4/worker1/only-ipv4": "http://10.96.9.3:80/clientip",
        "mesh-wire/IPv6/worker1/only-ipv6": "http://[fd66:96::904]:80/clientip",
    }
    assert {probe.runner for probe in probes.values()} == {"mesh/worker1"}
    assert probes_of(mesh_wire.GROUP, plain()) == {}


def test_a_family_on_the_wire_is_recognised_by_the_called_proxys_own_address() -> None:
    probes = probes_of(mesh_wire.GROUP, raw_mesh())
    told = {probe.target: probe.action.contains for probe in probes.values() if isinstance(probe.action, Fetch)}
    assert told == {"only-ipv4": ("127.0.0.6:",), "only-ipv6": ("[::6]:",)}


def test_the_other_family_on_the_wire_is_red() -> None:
    probes = probes_of(mesh_wire.GROUP, meshed())
    assert red(probes, lambda one: answer(HANDED_ON[one.family])) == set()
    assert red(probes, lambda _: answer(HANDED_ON["IPv4"])) == {"mesh-wire/IPv6/worker1/only-ipv6"}
    assert red(probes, lambda _: answer(HANDED_ON["IPv6"])) == {"mesh-wire/IPv4/worker1/only-ipv4"}


def test_a_service_without_its_one_address_is_red() -> None:
    assert failed(probes_of(mesh_wire.GROUP, without_address(meshed(), "only-ipv6", "IPv6"))) == {
        "mesh-wire/IPv6/worker1/only-ipv6": "not tried: only-ipv6 has no IPv6 address"
    }
