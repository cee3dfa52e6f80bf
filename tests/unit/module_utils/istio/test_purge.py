"""What is Istio's in a cluster without its control plane, and module istio_purge against a server of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import foreign, purge
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import INJECTED
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server

PLURALS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}
VERSIONS = {kind: version for version, kind, _ in purge.KINDS}


OURS = {"labels": {APPLY_SET_LABEL: "istio"}}


def thing(kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """A small object of one of the kinds that are looked through, or a pod."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": VERSIONS.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata | more.pop("metadata", {}),
        **more,
    }


def definition(name: str, kind: str = "Gateway", ours: bool = True) -> dict[str, Any]:
    """A definition of kinds."""
    plural, _, group = name.partition(".")
    spec = {"group": group, "names": {"kind": kind, "plural": plural}, "versions": [{"name": "v1", "storage": True}]}
    return thing("CustomResourceDefinition", name, spec=spec, metadata=OURS if ours else {})


def webhook(kind: str, name: str, service: str, ours: bool = False, of: str = "rev.istio.io") -> dict[str, Any]:
    """A configuration of one webhook that calls a Service of namespace istio-system."""
    called = {"namespace": "istio-system", "name": service}
    webhooks = [{"name": of, "clientConfig": {"service": called}}]
    return thing(kind, name, metadata=OURS if ours else {}, webhooks=webhooks)


def pod(name: str, revision: str = "", **metadata: Any) -> dict[str, Any]:
    """A pod in namespace foo. revision: empty = without a proxy."""
    annotations = {INJECTED: json.dumps({"revision": revision})} if revision else {}
    return thing("Pod", name, "foo", metadata={"annotations": annotations, **metadata}, status={"phase": "Running"})


def certificate(namespace: str) -> dict[str, Any]:
    """Istio's root certificate in a namespace."""
    return thing("ConfigMap", "istio-ca-root-cert", namespace, metadata={"labels": {"istio.io/config": "true"}})


MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
GATEWAYS = definition("gateways.networking.istio.io")
DOOMED = [
    certificate("default"),
    certificate("foo"),
    webhook(MUTATING, "istio-revision-tag-default", "istiod-stable", ours=True),
    webhook(MUTATING, "istio-revision-tag-prod", "istiod-stable"),  # by istioctl tag set
    webhook(VALIDATING, "istiod-default-validator", "istiod-stable", ours=True),
    GATEWAYS,
    thing("ClusterRole", "istio-reader-clusterrole-istio-system", metadata=OURS),
    thing("ClusterRoleBinding", "istiod-clusterrole-istio-system", metadata=OURS),
]
OTHERS = [
    thing("ConfigMap", "istio-notes", "foo"),
    thing("ConfigMap", "labelled", "foo", metadata={"labels": {"istio.io/config": "true"}}),
    thing("Service", "istiod-theirs", "istio-system"),
    webhook(MUTATING, "istio-sidecar-injector-theirs", "istiod-theirs"),
    webhook(MUTATING, "cert-manager-webhook", "cert-manager", of="webhook.cert-manager.io"),
    thing(VALIDATING, "istio-without-webhooks"),
    definition("gateways.gateway.networking.k8s.io"),
    definition("things.notistio.io"),
    definition("istiooperators.install.istio.io", "IstioOperator", ours=False),
    thing("ClusterRole", "istio-reader-theirs"),
    thing("ClusterRole", "view"),
    thing("ClusterRoleBinding", "istiod-theirs"),
    pod("meshed", "stable"),
    pod("plain"),
    pod("going", "stable", deletionTimestamp="2026-11-24T06:00:00Z"),
]
SERVICES = {("istio-system", "istiod-theirs")}
NOBODY = foreign.Foreign()
CONTROL_PLANE = foreign.Foreign(
    control_planes=[Key("apps/v1", "Deployment", "theirs", "istiod")], definitions=[GATEWAYS]
)


def path_of(item: dict[str, Any]) -> str:
    """Where the API has an object."""
    version, metadata = item["apiVersion"], item["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    plural = PLURALS.get(item["kind"], f"{item['kind'].lower()}s")
    return f"{root}{space}/{plural}/{metadata['name']}"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A cluster from which Istio's own objects were removed; its kubeconfig is in tmp_path."""
    with api_server(tmp_path) as (state, _):
        state.kinds["v1"]["Pod"] = ("pods", True)
        state.kinds["v1"]["Service"] = ("services", True)
        state.kinds["apps/v1"] = {"Deployment": ("deployments", True)}
        state.kinds["networking.istio.io/v1"] = {"Gateway": ("gateways", True)}
        for kind, plural in PLURALS.items():
            state.kinds.setdefault(VERSIONS[kind], {})[kind] = (plural, False)
        state.objects = {path_of(item): item for item in json.loads(json.dumps([*DOOMED, *OTHERS]))}
        state.stays[path_of(OTHERS[-1])] = 1000
        yield state


@pytest.fixture
def remove(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs module istio_purge."""

    def start(*words: str, timeout: float = 20, **more: Any) -> Run:
        arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "timeout": timeout, **more}
        shown = "[found['removed'] | length, found['meshed']]"
        return playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.istio_purge", arguments, shown), *words)

    return start


def test_every_kind_is_looked_through() -> None:
    assert {item["kind"] for item in DOOMED} == {kind for _, kind, _ in purge.KINDS}


@pytest.mark.parametrize("item", [item for item in OTHERS if item["kind"] not in ("Pod", "Service")], ids=path_of)
def test_what_is_others_stays(item: dict[str, Any]) -> None:
    assert not purge.is_doomed(item, SERVICES, NOBODY, crds=True)


@pytest.mark.parametrize("item", DOOMED, ids=path_of)
def test_what_istiod_or_this_project_made_goes(item: dict[str, Any]) -> None:
    assert purge.is_doomed(item, SERVICES, NOBODY, crds=False)


@pytest.mark.parametrize("item", DOOMED, ids=path_of)
def test_what_a_control_plane_of_others_needs_stays(item: dict[str, Any]) -> None:
    stays = item["kind"] in ("ConfigMap", "CustomResourceDefinition")
    assert purge.is_doomed(item, SERVICES, CONTROL_PLANE, crds=False) is not stays
    asked = purge.is_doomed(item, SERVICES, CONTROL_PLANE, crds=True)
    assert asked is (item["kind"] != "ConfigMap")


def test_only_pods_that_still_have_a_proxy_are_reported() -> None:
    done = pod("done", "stable") | {"status": {"phase": "Succeeded"}}
    pods = [pod("b", "stable"), pod("a", "canary"), pod("plain"), pod("going", "stable", deletionTimestamp="x"), done]
    assert purge.meshed(pods) == ["foo/a", "foo/b"]


def test_all_of_istios_goes_and_nothing_else(state: State, remove: Callable[..., Run]) -> None:
    told = remove("--check").succeeded().output
    assert '[8, ["foo/meshed"]]' in told and "changed=1" in told
    assert state.log == []
    for item in DOOMED[:2]:
        state.stays[path_of(item)] = 10
    done = remove().succeeded().output
    assert '[8, ["foo/meshed"]]' in done and "changed=1" in done
    assert set(state.log) == {f"DELETE {path_of(item)}" for item in DOOMED}
    assert state.objects.keys() == {path_of(item) for item in OTHERS}, "it ends when all is gone"
    again = remove().succeeded().output
    assert '[0, ["foo/meshed"]]' in again and "changed=0" in again
    assert len(state.log) == len(DOOMED)


def theirs(state: State) -> str:
    """Somebody's Gateway in a namespace of theirs; its path."""
    item = {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g", "namespace": "team"}}
    where = "/apis/networking.istio.io/v1/namespaces/team/gateways/g"
    state.objects[where] = item
    return where


def test_a_definition_with_objects_of_others_stays_unless_it_is_to_go(state: State, remove: Callable[..., Run]) -> None:
    where = theirs(state)
    assert '[7, ["foo/meshed"]]' in remove().succeeded().output
    assert path_of(GATEWAYS) in state.objects and where in state.objects
    assert "changed=0" in remove().succeeded().output
    assert '[1, ["foo/meshed"]]' in remove(crds=True).succeeded().output
    assert path_of(GATEWAYS) not in state.objects


def test_what_stays_is_named(state: State, remove: Callable[..., Run]) -> None:
    state.stays[path_of(definition("gateways.networking.istio.io"))] = 1000
    failed = remove(timeout=1)
    assert failed.code != 0
    words = "found CustomResourceDefinition gateways.networking.istio.io still there, expected it to be gone"
    assert words in " ".join(failed.output.split())


def test_a_refusal_is_reported(state: State, remove: Callable[..., Run]) -> None:
    state.refuse[path_of(certificate("default"))] = [(403, "not yours")]
    failed = remove()
    assert failed.code != 0
    assert "found not yours; expected an answer of the API server" in " ".join(failed.output.split())


def test_without_a_cluster_there_is_nothing_to_purge(tmp_path: Path, remove: Callable[..., Run]) -> None:
    assert "[0, []]" in remove("--check").succeeded().output
    assert remove().code != 0
