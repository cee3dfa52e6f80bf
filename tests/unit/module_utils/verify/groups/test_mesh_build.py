"""Group mesh-build: a proxy of an earlier build is found, wherever it is and whoever owns it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_build
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Known
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import observe
from ansible_collections.twinstack.core.plugins.module_utils.verify.scope import Scope, Skip

from tests.unit.module_utils.verify.samples import NAMESPACE, NODES, probes_of, raw_cluster, raw_mesh

NOW, BEFORE = "docker.io/istio/proxyv2:1", "docker.io/istio/proxyv2:0"


def meshed(name: str, node: str, image: str, revision: str = "stable", field: str = "initContainers") -> dict[str, Any]:
    """A pod in the mesh."""
    annotations = {"sidecar.istio.io/status": json.dumps({"revision": revision})}
    spec: dict[str, Any] = {"nodeName": node, "containers": [{"name": "web", "image": "web"}]}
    spec[field] = [*spec.get(field, []), {"name": "istio-proxy", "image": image}]
    metadata = {"name": name, "namespace": "foo", "labels": {}, "annotations": annotations}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def failed(*pods: dict[str, Any]) -> dict[str, str]:
    """Details of the failed probes of a mesh with these pods, by id."""
    raw = raw_mesh()
    raw["pods"] += pods
    told = {}
    for name, probe in probes_of(mesh_build.GROUP, raw).items():
        assert isinstance(probe.action, Known)
        if not probe.action.ok:
            told[name] = probe.action.detail
    return told


def test_every_node_has_a_probe_in_each_family() -> None:
    ids = {f"mesh-build/{family}/{node}/proxies" for family in FAMILIES for node in NODES}
    assert set(probes_of(mesh_build.GROUP, raw_mesh())) == ids
    assert failed(meshed("web", "worker1", NOW), meshed("gateway", "worker2", NOW, field="containers")) == {}


@pytest.mark.parametrize("field", ["initContainers", "containers"])
def test_one_old_proxy_fails_on_its_node_and_is_named_with_both_builds(field: str) -> None:
    found = failed(meshed("web-1", "worker1", BEFORE, field=field), meshed("web-2", "worker2", NOW))
    expected = f"1 of another build than their control plane injects: foo/web-1: found {BEFORE}, expected {NOW}"
    assert found == {f"mesh-build/{family}/worker1/proxies": expected for family in FAMILIES}


def test_a_proxy_without_a_control_plane_is_named() -> None:
    found = failed(meshed("web-1", "worker1", NOW, revision="gone"))
    assert set(found) == {f"mesh-build/{family}/worker1/proxies" for family in FAMILIES}
    assert all("foo/web-1: found revision gone, expected one with a control plane" in told for told in found.values())


def test_what_goes_or_has_ended_is_left_out() -> None:
    going, ended = meshed("web-1", "worker1", BEFORE), meshed("job", "worker1", BEFORE)
    going["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
    ended["status"]["phase"] = "Succeeded"
    assert failed(going, ended) == {}


def test_many_are_counted_and_the_first_are_named() -> None:
    found = failed(*(meshed(f"web-{number}", "worker1", BEFORE) for number in range(7)))
    told = found["mesh-build/IPv6/worker1/proxies"]
    assert told.startswith("7 of another build") and "foo/web-4" in told and "foo/web-5" not in told


def test_without_a_mesh_or_a_build_to_compare_with_nothing_is_probed() -> None:
    assert probes_of(mesh_build.GROUP, raw_cluster()) == {}
    raw = raw_mesh() | {"builds": {"stable": ""}}
    scope = Scope(observe(raw), NAMESPACE, 18080, "ipvs", None, "")
    (skip,) = mesh_build.GROUP.plan(scope)
    assert isinstance(skip, Skip) and "istio-sidecar-injector" in skip.reason
