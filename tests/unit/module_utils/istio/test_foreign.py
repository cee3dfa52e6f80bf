"""What others have of Istio, and what must be typed before a mesh is uninstalled."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import foreign
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLIED, APPLY_SET_LABEL

from tests.unit.module_utils.istio.samples import namespace, pod


class Objects:
    """A cluster with nothing but these objects."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = list(items)

    def list(self, api_version: str, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Those of a kind, as copies."""
        name, _, value = selector.partition("=")
        found = [item for item in self.items if (item["apiVersion"], item["kind"]) == (api_version, kind)]
        return [item for item in found if not name or item["metadata"].get("labels", {}).get(name) == value]


def definition(kind: str, plural: str, group: str = "networking.istio.io", ours: bool = True) -> dict[str, Any]:
    """A definition, with two versions."""
    versions = [{"name": "v1", "storage": False}, {"name": "v1alpha3", "storage": True}]
    labels = {APPLY_SET_LABEL: "istio", "app": "x"} if ours else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": labels, "annotations": {APPLIED: "1", "own": "2"}},
        "spec": {"group": group, "names": {"kind": kind, "plural": plural}, "versions": versions},
        "status": {"conditions": []},
    }


def custom(kind: str, space: str, name: str, manager: str = "", label: bool = False) -> dict[str, Any]:
    """An object of one of these kinds. manager: who applied it."""
    metadata: dict[str, Any] = {"name": name, "namespace": space}
    metadata |= {"labels": {APPLY_SET_LABEL: "tenants"}} if label else {}
    metadata |= {"managedFields": [{"operation": "Apply", "manager": manager}]} if manager else {}
    return {"apiVersion": "networking.istio.io/v1alpha3", "kind": kind, "metadata": metadata}


def plane(ours: bool) -> dict[str, Any]:
    """istiod's Deployment."""
    labels = {"app": "istiod"} | ({APPLY_SET_LABEL: "istio"} if ours else {})
    metadata = {"name": "istiod", "namespace": "istio-system" if ours else "theirs", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


GATEWAYS, SIDECARS = definition("Gateway", "gateways"), definition("Sidecar", "sidecars")
MESH = [namespace("foo"), namespace("team", ours=False), GATEWAYS, SIDECARS, plane(ours=True)]
OWN = custom("Gateway", "foo", "gateway", "twinstack", label=True)


def texts(*items: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Objects of others, those that are lost, and the names of the definitions that stay."""
    found = foreign.look(Objects(*MESH, *items))
    kept = [item["metadata"]["name"] for item in found.definitions]
    return [str(key) for key in found.objects], [str(key) for key in found.lost], kept


def test_what_this_project_applied_is_nobody_elses() -> None:
    assert texts(OWN) == ([], [], [])


@pytest.mark.parametrize(
    "item",
    [
        custom("Gateway", "team", "theirs"),
        custom("Gateway", "team", "theirs", "helm"),
        custom("Gateway", "team", "theirs", "helm", label=True),  # a copy of one of ours
        custom("Gateway", "team", "theirs", "twinstack"),
    ],
)
def test_an_object_of_others_keeps_its_definition_alone(item: dict[str, Any]) -> None:
    assert texts(OWN, item) == (["Gateway team/theirs"], [], ["gateways.networking.istio.io"])


def test_what_is_in_a_namespace_that_goes_is_named_and_keeps_nothing() -> None:
    assert texts(custom("Sidecar", "foo", "theirs")) == ([], ["Sidecar foo/theirs"], [])


def test_a_control_plane_of_others_keeps_all_definitions() -> None:
    assert texts(plane(ours=False))[2] == ["gateways.networking.istio.io", "sidecars.networking.istio.io"]


def test_definitions_of_others_are_not_this_projects_to_keep() -> None:
    other = definition("Thing", "things", "extensions.istio.io", ours=False)
    item = custom("Thing", "team", "one") | {"apiVersion": "extensions.istio.io/v1alpha3"}
    assert texts(other, item) == (["Thing team/one"], [], [])
    assert texts(definition("Thing", "things", "things.example"), custom("Thing", "team", "one"))[0] == []


def test_workloads_of_others_with_a_proxy_are_found() -> None:
    pods = [pod("web", "stable", "team", "web"), pod("plain", "", "team"), pod("web", "stable", "foo")]
    assert [str(key) for key in foreign.look(Objects(*MESH, *pods)).pods] == ["Pod team/web"]


def test_a_definition_that_stays_is_what_it_is_without_what_an_apply_adds() -> None:
    (found,) = foreign.wanted([GATEWAYS])
    assert found["metadata"] == {
        "name": "gateways.networking.istio.io",
        "labels": {"app": "x"},
        "annotations": {"own": "2"},
    }
    assert found["spec"] == GATEWAYS["spec"] and "status" not in found
    assert APPLIED in GATEWAYS["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("confirm", "running", "check", "fields"),
    [
        ("site", "site", False, []),
        ("", "site", False, ["istio_uninstall_confirm"]),
        ("other", "site", False, ["istio_uninstall_confirm"]),
        ("", "site", True, []),
        ("site", "other", False, ["clusterName"]),
        ("", "", False, ["istio_uninstall_confirm", "clusterName"]),
        ("", "other", True, ["clusterName"]),
    ],
)
def test_the_name_must_be_typed_and_be_the_running_clusters(
    confirm: str, running: str, check: bool, fields: list[str]
) -> None:
    found = foreign.refusals(confirm, "site", running, check)
    assert [finding.field for finding in found] == fields
    assert all(finding.found and finding.hint for finding in found)
