"""Node ports that others hold: refused before anything is applied, or made free within the apply set itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import client as kube_client
from ansible_collections.twinstack.core.plugins.module_utils.kube import node_ports
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key
from ansible_collections.twinstack.core.plugins.module_utils.kube.refusals import Allowed

from tests.unit.kube_server import api_server


def service(space: str, *ports: int, apply_set: str = "", name: str = "gateway", **more: Any) -> dict[str, Any]:
    """A Service with node ports, the first one's name being http."""
    listed = [
        {"name": ("http", "https")[number], "port": port, "nodePort": port, "protocol": "TCP"}
        for number, port in enumerate(ports)
    ]
    metadata: dict[str, Any] = {"name": name, "namespace": space}
    if apply_set:
        metadata["labels"] = {APPLY_SET_LABEL: apply_set}
    spec = {"type": "NodePort", "ports": listed, **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def key(space: str) -> Key:
    return Key("v1", "Service", space, "gateway")


def test_a_port_of_somebody_elses_service_is_refused_with_its_name() -> None:
    found = node_ports.clashes([service("foo", 30080, 30443)], [service("shop", 30443, name="web")], "tenants")
    assert found.refusals == (
        "Service foo/gateway: found node port 30443 taken by Service shop/web; expected a free one",
    )


def test_a_number_is_taken_whatever_the_protocol_and_for_health_checks_too() -> None:
    udp = {"name": "udp", "port": 1, "nodePort": 30080, "protocol": "UDP"}
    assert node_ports.clashes([service("foo", 30080)], [service("shop", ports=[udp])], "tenants").refusals
    assert node_ports.clashes([service("foo", 30080)], [service("shop", healthCheckNodePort=30080)], "").refusals


def test_what_is_its_own_or_free_is_no_clash() -> None:
    there = [service("foo", 30080), {"kind": "ConfigMap", "metadata": {}}]
    assert node_ports.clashes([service("foo", 30080, 30443)], there, "tenants") == node_ports.Clashes()
    nameless = service("", 30080)
    del nameless["metadata"]["namespace"]
    assert node_ports.clashes([nameless], [service("default", 30080)], "tenants") == node_ports.Clashes()


def test_who_leaves_the_part_makes_room() -> None:
    there = [service("foo", 30080, apply_set="tenants"), service("bar", 30081, apply_set="other")]
    found = node_ports.clashes([service("renamed", 30080)], there, "tenants")
    assert not found.refusals and found.leaving == (key("foo"),) and found.waiting == {key("renamed")}
    assert node_ports.clashes([service("renamed", 30081)], there, "tenants").refusals


@pytest.mark.parametrize(("bar", "exchange"), [(30082, False), (30080, True)])
def test_a_port_that_another_one_moves_away_from_is_free_unless_it_is_an_exchange(bar: int, exchange: bool) -> None:
    there = [service("foo", 30080, apply_set="tenants"), service("bar", 30081, apply_set="tenants")]
    found = node_ports.clashes([service("foo", 30081), service("bar", bar)], there, "tenants")
    assert bool(found.refusals) is exchange and found.leaving == ()
    if exchange:
        assert any("found its node port exchanged with Service bar/gateway" in line for line in found.refusals)
    else:
        assert found.first == (key("bar"),)


def test_a_long_chain_moves_from_its_end() -> None:
    spaces = [f"t{number}" for number in range(12)]
    there = [service(space, 30000 + number) for number, space in enumerate(spaces)]
    wanted = [service(space, 30001 + number) for number, space in enumerate(spaces)]
    found = node_ports.clashes(wanted, there, "tenants")
    assert found.refusals == ()
    assert found.first == tuple(key(space) for space in reversed(spaces[1:]))
    assert found.waiting == {key(space) for space in spaces[:-1]}


def test_a_service_that_does_not_name_its_port_keeps_it() -> None:
    there = [service("foo", 31000, type="LoadBalancer")]
    silent = service("foo", type="LoadBalancer", ports=[{"name": "http", "port": 80}])
    assert node_ports.clashes([silent, service("bar", 31000)], there, "tenants").refusals
    inside = service("foo", type="ClusterIP", ports=[{"name": "http", "port": 80}])
    assert node_ports.clashes([inside, service("bar", 31000)], there, "tenants").first == (key("foo"),)


def test_nothing_is_applied_when_a_port_is_taken(tmp_path: Path) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "foo"}}
    with api_server(tmp_path) as (state, kubeconfig):
        state.kinds["v1"]["Service"] = ("services", True)
        client = kube_client.Client(str(kubeconfig), None, "test")

        def apply(*objects: dict[str, Any], apply_set: str = "tenants", dry: bool = False) -> kube_apply.Outcome:
            allowed = Allowed(remove_namespaces=frozenset({"foo"}))
            deadline = time.monotonic() + 5
            return kube_apply.apply_all(client, list(objects), apply_set, dry, True, deadline, allowed=allowed)

        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}, apply_set="")
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, apply_set="")
        apply(service("shop", 30080), apply_set="")
        before = list(state.log)
        for dry in (True, False):
            assert "taken by Service shop/gateway" in apply(space, service("foo", 30080), dry=dry).failures[0]
        assert state.log == before
        assert apply(space, service("foo", 30081)).failures == []
        renamed = [space | {"metadata": {"name": "new"}}, service("new", 30081)]
        told = apply(*renamed, dry=True)
        assert told.failures == [] and told.pruned.count("Service foo/gateway") == 1
        state.log.clear()
        assert apply(*renamed).failures == []
        removed = state.log.index("DELETE /api/v1/namespaces/foo/services/gateway")
        made = state.log.index("PATCH /api/v1/namespaces/new/services/gateway")
        made_space = state.log.index("PATCH /api/v1/namespaces/new")
        assert made_space < removed < made, "what can be refused comes before anything of the living is taken away"
