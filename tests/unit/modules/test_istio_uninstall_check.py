"""Module istio_uninstall_check against a server of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, task_play
from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.istio.test_foreign import GATEWAYS, MESH, SIDECARS, custom


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A mesh of cluster site in which a team has a Gateway of its own; its kubeconfig is in tmp_path."""
    with api_server(tmp_path) as (state, _):
        state.kinds["apps/v1"] = {"Deployment": ("deployments", True)}
        state.kinds["networking.istio.io/v1alpha3"] = {"Gateway": ("gateways", True), "Sidecar": ("sidecars", True)}
        config = {"data": {"ClusterConfiguration": "clusterName: site\n"}, "metadata": {"name": "kubeadm-config"}}
        state.objects["/api/v1/namespaces/kube-system/configmaps/kubeadm-config"] = config | {"kind": "ConfigMap"}
        for item in (*MESH, custom("Gateway", "team", "theirs")):
            state.objects[f"{item['kind']}/{item['metadata']['name']}"] = item
        yield state


@pytest.fixture
def ask(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs the module."""

    def start(*words: str, **more: Any) -> Run:
        arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "cluster_name": "site", **more}
        shown = "found['definitions'] | map(attribute='metadata') | map(attribute='name')"
        return playbook(
            "-i", "localhost,", task_play(tmp_path, "twinstack.core.istio_uninstall_check", arguments, shown), *words
        )

    return start


def told(done: Run) -> str:
    """The output on one line."""
    return " ".join(done.output.split())


def test_without_its_name_nothing_goes_and_what_others_have_is_named(state: State, ask: Callable[..., Run]) -> None:
    refused = ask(confirm="twinstack")
    assert refused.code != 0
    assert "command line: istio_uninstall_confirm: found twinstack; expected the name of the cluster" in told(refused)
    assert "Try: -e istio_uninstall_confirm=site" in told(refused)
    for done in (refused, ask("--check").succeeded(), ask(confirm="site").succeeded()):
        assert "objects of others of Istio's kinds; they stay, and their CRDs: Gateway team/theirs" in told(done)
    assert state.log == []


def test_definitions_stay_unless_all_are_to_go(state: State, ask: Callable[..., Run]) -> None:
    name = GATEWAYS["metadata"]["name"]
    done = ask(confirm="site").succeeded().output
    assert f'["{name}"]' in done and SIDECARS["metadata"]["name"] not in done
    gone = ask(confirm="site", crds=True).succeeded()
    assert "[]" in gone.output and "they go with Istio's CRDs: Gateway team/theirs" in told(gone)


def test_another_cluster_is_refused_whatever_was_typed(state: State, ask: Callable[..., Run]) -> None:
    refused = ask("--check", cluster_name="other", confirm="other")
    assert refused.code != 0
    assert "ConfigMap kube-system/kubeadm-config: clusterName: found site; expected other" in told(refused)


def test_without_a_cluster_there_is_nothing_to_check(ask: Callable[..., Run]) -> None:
    assert "[]" in ask("--check").succeeded().output
    assert ask(confirm="site").code != 0
