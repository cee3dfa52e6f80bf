"""What is Istio's in a cluster without its control plane, and module istio_purge against a server of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import purge
from ansible_collections.twinstack.core.plugins.module_utils.istio.revision_rollout import INJECTED

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server

PLURALS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}
VERSIONS = {kind: version for version, kind, _ in purge.KINDS}


def thing(kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """A small object of one of the kinds that are looked through, or a pod."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": VERSIONS.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata | more.pop("metadata", {}),
        **more,
    }


def definition(name: str) -> dict[str, Any]:
    """A definition of kinds."""
    return thing("CustomResourceDefinition", name, spec={"group": name.partition(".")[2]})


def pod(name: str, revision: str = "", **metadata: Any) -> dict[str, Any]:
    """A pod in namespace foo. revision: empty = without a proxy."""
    annotations = {INJECTED: json.dumps({"revision": revision})} if revision else {}
    return thing("Pod", name, "foo", metadata={"annotations": annotations, **metadata}, status={"phase": "Running"})


def certificate(namespace: str) -> dict[str, Any]:
    """Istio's root certificate in a namespace."""
    return thing("ConfigMap", "istio-ca-root-cert", namespace, metadata={"labels": {"istio.io/config": "true"}})


ISTIOS = [
    certificate("default"),
    certificate("foo"),
    thing("MutatingWebhookConfiguration", "istio-revision-tag-default"),
    thing("ValidatingWebhookConfiguration", "istiod-default-validator"),
    definition("gateways.networking.istio.io"),
    thing("ClusterRole", "istio-reader-clusterrole-istio-system"),
    thing("ClusterRoleBinding", "istiod-clusterrole-istio-system"),
]
OTHERS = [
    thing("ConfigMap", "istio-notes", "foo"),
    thing("MutatingWebhookConfiguration", "cert-manager-webhook"),
    thing("ValidatingWebhookConfiguration", "not-istio-validator"),
    definition("gateways.gateway.networking.k8s.io"),
    definition("things.notistio.io"),
    thing("ClusterRole", "view"),
    thing("ClusterRoleBinding", "istios-friend"),
    pod("meshed", "stable"),
    pod("plain"),
    pod("going", "stable", deletionTimestamp="2026-11-24T06:00:00Z"),
]


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
        for kind, plural in PLURALS.items():
            state.kinds.setdefault(VERSIONS[kind], {})[kind] = (plural, False)
        state.objects = {path_of(item): item for item in json.loads(json.dumps([*ISTIOS, *OTHERS]))}
        state.stays[path_of(OTHERS[-1])] = 1000
        yield state


@pytest.fixture
def remove(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs module istio_purge."""

    def start(*words: str, timeout: float = 20) -> Run:
        arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "timeout": timeout}
        shown = "[found['removed'] | length, found['meshed']]"
        return playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.istio_purge", arguments, shown), *words)

    return start


def test_every_kind_is_looked_through() -> None:
    assert {item["kind"] for item in ISTIOS} == {kind for _, kind, _ in purge.KINDS}


@pytest.mark.parametrize("item", [item for item in OTHERS if item["kind"] not in ("Pod", "ConfigMap")], ids=path_of)
def test_what_is_others_is_not_istios(item: dict[str, Any]) -> None:
    assert not purge.is_istios(item)


@pytest.mark.parametrize("item", ISTIOS, ids=path_of)
def test_what_is_istios_is_known(item: dict[str, Any]) -> None:
    assert purge.is_istios(item)


def test_only_pods_that_still_have_a_proxy_are_reported() -> None:
    done = pod("done", "stable") | {"status": {"phase": "Succeeded"}}
    pods = [pod("b", "stable"), pod("a", "canary"), pod("plain"), pod("going", "stable", deletionTimestamp="x"), done]
    assert purge.meshed(pods) == ["foo/a", "foo/b"]


def test_all_of_istios_goes_and_nothing_else(state: State, remove: Callable[..., Run]) -> None:
    told = remove("--check").succeeded().output
    assert '[7, ["foo/meshed"]]' in told and "changed=1" in told
    assert state.log == []
    for item in ISTIOS[:2]:
        state.stays[path_of(item)] = 10
    done = remove().succeeded().output
    assert '[7, ["foo/meshed"]]' in done and "changed=1" in done
    assert set(state.log) == {f"DELETE {path_of(item)}" for item in ISTIOS}
    assert state.objects.keys() == {path_of(item) for item in OTHERS}, "it ends when all is gone"
    again = remove().succeeded().output
    assert '[0, ["foo/meshed"]]' in again and "changed=0" in again
    assert len(state.log) == len(ISTIOS)


def test_what_stays_is_named(state: State, remove: Callable[..., Run]) -> None:
    state.stays[path_of(definition("gateways.networking.istio.io"))] = 1000
    failed = remove(timeout=1)
    assert failed.code != 0
    words = "found CustomResourceDefinition gateways.networking.istio.io still there, expected nothing of Istio's"
    assert words in " ".join(failed.output.split())


def test_a_refusal_is_reported(state: State, remove: Callable[..., Run]) -> None:
    state.refuse[path_of(certificate("default"))] = [(403, "not yours")]
    failed = remove()
    assert failed.code != 0
    assert "found not yours; expected an answer of the API server" in " ".join(failed.output.split())


def test_without_a_cluster_there_is_nothing_to_purge(tmp_path: Path, remove: Callable[..., Run]) -> None:
    assert "[0, []]" in remove("--check").succeeded().output
    assert remove().code != 0
