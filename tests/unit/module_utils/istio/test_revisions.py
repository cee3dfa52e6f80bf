"""Which revision a namespace names, which one a pod's proxy is of, and who still uses one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import revisions
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key

from tests.unit.module_utils.istio.samples import namespace, pod, tag

TAGS = {"default": "stable", "prod": "canary"}


@pytest.mark.parametrize(
    ("changes", "revision"),
    [
        ({}, "canary"),
        ({"metadata": {"annotations": None}}, ""),
        ({"metadata": {}}, ""),
        ({"metadata": {"annotations": {revisions.INJECTED: "no JSON"}}}, ""),
        ({"metadata": {"annotations": {revisions.INJECTED: "{}"}}}, ""),
        ({"status": {"phase": "Succeeded"}}, ""),
        ({"status": {"phase": "Failed"}}, ""),
        ({"status": {"phase": "Pending"}}, "canary"),
    ],
)
def test_the_injector_records_a_running_pods_revision(changes: dict[str, Any], revision: str) -> None:
    assert revisions.revision_of(pod("a", "canary") | changes) == revision


def test_tags_are_told_by_their_webhooks() -> None:
    injector = {"metadata": {"name": "istio-sidecar-injector-stable", "labels": {"istio.io/rev": "stable"}}}
    assert revisions.tags([tag("default", "stable"), tag("prod", "canary"), injector, {"metadata": {}}]) == TAGS


@pytest.mark.parametrize(
    ("labels", "revision"),
    [
        ({}, ""),
        ({"istio_io_rev": "blue"}, "blue"),
        ({"istio_io_rev": "prod"}, "canary"),
        ({"istio_io_rev": "default"}, "stable"),
        ({"istio_injection": "enabled"}, "stable"),
        ({"istio_injection": "enabled", "istio_io_rev": "blue"}, "stable"),
        ({"istio_injection": "disabled", "istio_io_rev": "blue"}, ""),
    ],
)
def test_a_namespace_names_its_revision_by_name_or_tag(labels: dict[str, str], revision: str) -> None:
    assert revisions.revision_named(namespace("foo", True, **labels), TAGS) == revision


def owned(kind: str, name: str, **labels: str) -> dict[str, Any]:
    """A pod in namespace foo with an owner."""
    item = pod("web", "stable", name="web-1")
    item["metadata"]["labels"] |= {label.replace("_", "-"): value for label, value in labels.items()}
    item["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True}]
    return item


@pytest.mark.parametrize(
    ("item", "owner"),
    [
        (owned("ReplicaSet", "web-5d8f", pod_template_hash="5d8f"), Key("apps/v1", "Deployment", "foo", "web")),
        (owned("ReplicaSet", "web-5d8f"), Key("apps/v1", "ReplicaSet", "foo", "web-5d8f")),
        (owned("StatefulSet", "db"), Key("apps/v1", "StatefulSet", "foo", "db")),
        (pod("web", "stable", name="alone"), Key("v1", "Pod", "foo", "alone")),
    ],
)
def test_a_pod_is_of_the_workload_that_people_know(item: dict[str, Any], owner: Key) -> None:
    assert revisions.owner_of(item) == owner


def control_plane(revision: str, ours: bool = True) -> dict[str, Any]:
    """istiod's Deployment."""
    labels = {"app": "istiod", "istio.io/rev": revision} | ({APPLY_SET_LABEL: "istio"} if ours else {})
    return {"metadata": {"name": f"istiod-{revision}", "labels": labels}}


def test_only_what_this_project_installed_leaves() -> None:
    planes = [control_plane("stable"), control_plane("blue"), control_plane("theirs", ours=False)]
    assert revisions.leaving(planes, ["blue"]) == ["stable"]
    assert revisions.leaving(planes, ["blue", "stable"]) == revisions.leaving([], ["blue"]) == []


def lines(spaces: list[dict[str, Any]], *pods: dict[str, Any]) -> list[str]:
    """Who uses revision stable, as lines."""
    return [finding.line() for finding in revisions.users(spaces, pods, TAGS, ["stable"], "blue")]


def test_every_kind_of_user_is_named_with_its_way_out() -> None:
    spaces = [
        namespace("foo", istio_io_rev="stable"),
        namespace("shop", ours=False, istio_injection="enabled"),
        namespace("moved", istio_io_rev="blue"),
        namespace("plain", ours=False),
    ]
    mine = owned("ReplicaSet", "web-5d8f", pod_template_hash="5d8f")
    more = [pod("a", "stable", "moved", "a"), pod("b", "canary", "moved", "b"), pod("c", "", "moved", "c")]
    tenants = "move the tenants by playbooks/istio/upgrade_tenants.yml, then take stable out"
    assert lines(spaces, mine, mine, *more) == [
        "Deployment foo/web: revision of the proxy: found stable, which istio_revisions lacks, in 2 pods; expected "
        f"another one, such as blue. Try: keep stable in istio_revisions, {tenants}",
        "Pod moved/a: revision of the proxy: found stable, which istio_revisions lacks, in 1 pod; expected another "
        f"one, such as blue. Try: keep stable in istio_revisions, {tenants}",
        "namespace foo: label: found istio.io/rev=stable, which istio_revisions lacks; expected another one, such "
        f"as istio.io/rev=blue. Try: keep stable in istio_revisions, {tenants}",
        "namespace shop: label: found istio-injection=enabled, which stands for stable, which istio_revisions "
        "lacks; expected another one, such as istio.io/rev=blue. Try: keep stable in istio_revisions; kubectl label "
        "namespace shop istio-injection- istio.io/rev=blue --overwrite; kubectl -n shop rollout restart deployment; "
        "then take stable out",
    ]


def test_what_goes_by_itself_uses_nothing() -> None:
    going = namespace("bar", istio_io_rev="stable")
    leaving = pod("web", "stable", "bar")
    going["metadata"]["deletionTimestamp"] = leaving["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
    temporary = namespace("twinstack-verify-mesh", ours=False, istio_io_rev="stable")
    ended = pod("job", "stable", phase="Succeeded")
    assert lines([going, temporary], leaving, ended, pod("mesh", "stable", "twinstack-verify-mesh")) == []
