"""Group tenant-gateway: every tenant's ports on every node."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import tenant_gateway
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Outside, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge_fetch
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    connected_to,
    failed,
    meshed,
    observed,
    red,
)
from tests.unit.module_utils.verify.samples import ANSWERED, LAB, probes_of, raw_observed

NODES = {
    ("IPv4", "cp1"): "10.66.0.11",
    ("IPv4", "worker1"): "10.66.0.12",
    ("IPv6", "cp1"): "fd66::11",
    ("IPv6", "worker1"): "fd66::12",
}
TARGETS = ("foo-http", "foo-https", "bar-http")


def test_every_port_is_tried_by_both_addresses_of_both_nodes() -> None:
    probes = probes_of(tenant_gateway.GROUP, observed())
    assert {name: connected_to(probe) for name, probe in probes.items()} == {
        f"tenant-gateway/{family}/outside/{node}/{target}": address
        for (family, node), address in NODES.items()
        for target in TARGETS
    }
    ports = {probe.target: probe.action for probe in probes.values() if probe.address == "10.66.0.12"}
    assert isinstance(ports["foo-http"], Fetch) and ports["foo-http"].url == "http://10.66.0.12:30080/"
    assert isinstance(ports["bar-http"], Fetch) and ports["bar-http"].url == "http://10.66.0.12:30081/"
    assert isinstance(ports["foo-https"], Fetch) and ports["foo-https"].connect_to == "10.66.0.12:30443"
    assert probes_of(tenant_gateway.GROUP, meshed()) == {}, "no tenants"


@pytest.mark.parametrize("outside", [LAB, None])
def test_every_port_of_every_tenant_is_tried_on_every_node(outside: Outside | None) -> None:
    probes = probes_of(tenant_gateway.GROUP, raw_observed(), outside=outside)
    todo = [probe for probe in probes.values() if probe.family == "IPv6"]
    assert {probe.target for probe in todo} == {"foo-http", "foo-https", "bar-http"}
    pairs = 3 if outside else 6
    assert len(todo) == 3 * pairs
    assert {probe.runner.partition("/")[0] for probe in todo} == ({"outside"} if outside else {"host"})


def test_https_is_checked_against_the_tenants_own_certificate() -> None:
    probe = probes_of(tenant_gateway.GROUP, raw_observed())["tenant-gateway/IPv6/outside/cp1/foo-https"]
    assert isinstance(probe.action, Fetch)
    text = batch({7: probe.action})
    assert "A 7 UEVNCg==" in text
    assert 'C url = "https://foo.example:30443/"' in text
    assert 'C connect-to = "::[fd66::11]:30443"' in text
    assert 'C cacert = "authority7"' in text
    assert "insecure" not in text


def test_an_answer_of_a_gateway_without_routes_is_an_answer() -> None:
    action = Fetch("http://x/", codes=tenant_gateway.ANSWERS)
    assert judge_fetch(action, replace(ANSWERED, code=404), [], {}).ok
    verdict = judge_fetch(action, replace(ANSWERED, code=503), [], {})
    assert not verdict.ok
    assert "found HTTP 503" in verdict.detail


def test_a_silent_node_is_red_for_every_tenant_in_that_family_alone() -> None:
    probes = probes_of(tenant_gateway.GROUP, observed())
    assert red(probes, lambda _: answer(code=404)) == set()
    found = red(probes, lambda _: answer(code=404), "fd66::12")
    assert found == {f"tenant-gateway/IPv6/outside/worker1/{target}" for target in TARGETS}
    command = tenant_gateway.GROUP.next_command(probes[min(found)], Verdict(False, "x"))
    assert command.startswith("istioctl analyze -n bar;")


def test_a_node_without_an_address_is_red_in_that_family_alone() -> None:
    raw = observed()
    del raw["nodes"][1]["status"]["addresses"][0]
    assert failed(probes_of(tenant_gateway.GROUP, raw)) == {
        f"tenant-gateway/IPv4/outside/worker1/{target}": "not tried: node worker1 has no IPv4 address"
        for target in TARGETS
    }
