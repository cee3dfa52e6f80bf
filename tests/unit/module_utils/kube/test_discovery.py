"""What the API's discovery says."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.discovery import Resource, Served, parse

ALL = ["create", "delete", "get", "list"]


def resource(plural: str, kind: str, verbs: list[str] | None = None, scope: str = "Namespaced") -> dict[str, Any]:
    """One kind as discovery has it."""
    return {
        "resource": plural,
        "responseKind": {"kind": kind},
        "scope": scope,
        "verbs": ALL if verbs is None else verbs,
    }


def group(name: str, **versions: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A group; a version without resources does not answer."""
    listed = [
        {"version": key, "freshness": "Stale"} if value is None else {"version": key, "resources": value}
        for key, value in versions.items()
    ]
    return {"metadata": {"name": name} if name else {}, "versions": listed}


def test_kinds_that_live_in_namespaces_and_can_be_listed_and_deleted() -> None:
    core = group(
        "",
        v1=[
            resource("pods", "Pod"),
            resource("nodes", "Node", scope="Cluster"),
            resource("bindings", "Binding", ["create"]),
        ],
    )
    metrics = group("metrics.k8s.io", v1=[resource("pods", "PodMetrics", ["get", "list"])])
    scaling = group("autoscaling", v2=[resource("hpas", "HPA")], v1=[resource("hpas", "HPA"), resource("old", "Old")])
    assert parse([core, metrics, scaling]) == Served(
        (
            Resource("autoscaling/v1", "Old", "old"),
            Resource("autoscaling/v2", "HPA", "hpas"),
            Resource("v1", "Pod", "pods"),
        ),
        (),
    )


def test_kinds_are_told_by_their_group() -> None:
    served = parse([group("", v1=[resource("pods", "Pod")]), group("apps", v1=[resource("deployments", "Deployment")])])
    assert served.kinds == {("", "Pod"), ("apps", "Deployment")}


def test_servers_that_do_not_answer_are_named() -> None:
    assert parse([group("metrics.k8s.io", v1beta1=None), group("")]) == Served((), ("metrics.k8s.io/v1beta1",))
