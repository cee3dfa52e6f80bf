"""kube.survey: everything in namespaces, and servers of the API that do not answer."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.kube import survey

from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import apply, client, config_map, namespace


def test_everything_is_read_by_namespace_and_no_content(served: tuple[State, Path]) -> None:
    served[0].kinds["v1"]["Event"] = ("events", True)
    other = config_map("b")
    other["metadata"]["namespace"] = "other"
    apply(served, [namespace("demo"), namespace("other"), config_map("a"), other])
    cluster = client(served)
    found = survey.inside(cluster, cluster.discover().resources, ["demo", "other", "none"])
    assert {name: [item["metadata"]["name"] for item in items] for name, items in found.items()} == {
        "demo": ["a"],
        "other": ["b"],
        "none": [],
    }
    assert not [line for line in served[0].asked if line.endswith("/events")]


def test_a_kind_that_goes_meanwhile_holds_nothing(served: tuple[State, Path]) -> None:
    cluster = client(served)
    resources = cluster.discover().resources
    served[0].pages["/api/v1/namespaces/demo/secrets"] = lambda path, query: (404, {"message": "gone"})
    assert survey.inside(cluster, resources, ["demo"]) == {"demo": []}


def test_a_cluster_without_dead_servers_has_none(served: tuple[State, Path]) -> None:
    assert survey.dead_services(client(served)) == []
    served[0].kinds["apiregistration.k8s.io/v1"] = {"APIService": ("apiservices", False)}
    condition = {"type": "Available", "status": "Unknown"}
    for name, status in (("v1.", {}), ("v1.a", {"conditions": [condition]})):
        served[0].objects[f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"] = {
            "kind": "APIService",
            "metadata": {"name": name},
            "status": status,
        }
    (dead,) = survey.dead_services(client(served))
    assert str(dead) == "APIService v1.a is not available: Unknown" and "delete apiservice v1.a" in dead.hint
