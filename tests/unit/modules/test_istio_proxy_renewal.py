"""Module istio_proxy_renewal against a server that plays the API, controllers and the injector."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, task_play
from tests.unit.kube_server import api_server
from tests.unit.module_utils.istio.samples import (
    IMAGE,
    WORKLOADS,
    Controllers,
    injector,
    namespace,
    path_of,
    pod,
    workload,
)

NEWER = "registry.example/istio/proxyv2:2"


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Controllers]:
    """A mesh whose build was changed in place, with two tenants and a team of its own; kubeconfig in tmp_path."""
    with api_server(tmp_path) as (state, _):
        state.kinds["apps/v1"] = {kind: (plural, True) for kind, plural in WORKLOADS.items()}
        state.kinds["admissionregistration.k8s.io/v1"] = {
            "MutatingWebhookConfiguration": ("mutatingwebhookconfigurations", False)
        }
        found = Controllers(state, "stable")
        found.image = NEWER
        found.add(injector("stable", "2"))
        for space in ("foo", "bar"):
            found.add(namespace(space, istio_io_rev="stable"))
        for name in ("gateway", "web"):
            found.add(workload("Deployment", name), pod(name, "stable"))
        found.add(workload("StatefulSet", "db", "bar"), pod("db", "stable", "bar"))
        found.add(workload("Deployment", "new"), pod("new", "stable", image=NEWER))
        found.add(namespace("team", ours=False, istio_io_rev="stable"))
        found.add(workload("Deployment", "shop", "team"), pod("shop", "stable", "team"))
        found.add(namespace("moving", istio_io_rev="canary"))
        found.add(workload("Deployment", "late", "moving"), pod("late", "stable", "moving"))
        found.add(pod("", "stable", name="alone"))
        for item in [item for item in state.objects.values() if item["kind"] == "Pod"]:
            if app := item["metadata"]["labels"]["app"]:
                item["metadata"]["labels"]["pod-template-hash"] = "5d8f"
                owner = {"kind": "ReplicaSet", "name": f"{app}-5d8f", "controller": True}
                item["metadata"]["ownerReferences"] = [owner]
        for space in ("foo", "bar"):  # where pods are created, as a dry run
            state.pages[f"/api/v1/namespaces/{space}/pods"] = lambda rest, query: (
                201,
                pod("x", "stable", image=found.image),
            )
        yield found


@pytest.fixture
def renew(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs the module."""

    def start(*words: str, timeout: float = 20, **more: Any) -> Run:
        arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "timeout": timeout, **more}
        shown = "[found['renewed'], found['behind']]"
        path = task_play(tmp_path, "twinstack.core.istio_proxy_renewal", arguments, shown)
        return playbook("-i", "localhost,", path, *words)

    return start


def told(done: Run) -> str:
    """The output on one line."""
    return " ".join(done.output.split())


ORDER = '["StatefulSet bar/db", "Deployment foo/gateway", "Deployment foo/web"]'


def test_tenants_are_renewed_one_by_one_and_others_are_named(played: Controllers, renew: Callable[..., Run]) -> None:
    checked = renew("--check").succeeded()
    assert ORDER in checked.output and "changed=1" in checked.output
    assert played.state.log == []
    done = renew().succeeded()
    assert ORDER in done.output and "changed=1" in done.output
    assert [line.rpartition("/")[2] for line in played.state.log if line.startswith("PATCH")] == [
        "db",
        "gateway",
        "web",
    ]
    hints = {
        "Deployment team/shop": "kubectl -n team rollout restart deployment shop",
        "Deployment moving/late": "playbooks/istio/upgrade_tenants.yml, because its namespace names another revision",
        "Pod foo/alone": "kubectl -n foo delete pod alone, and make it again",
    }
    for owner, hint in hints.items():
        assert f"{owner}: found {IMAGE}, expected {NEWER}; not renewed. Try: {hint}" in told(done)
    again = renew().succeeded()
    assert "changed=0" in again.output and "Deployment team/shop" in again.output


def test_check_mode_judges_by_what_would_be_applied(
    played: Controllers, renew: Callable[..., Run], tmp_path: Path
) -> None:
    played.add(injector("stable", "1"), pod("new", "stable"))
    assert "changed=0" in renew("--check").succeeded().output
    played.add(pod("new", "stable", image=NEWER))
    planned = tmp_path / "rendered.json"
    planned.write_text(json.dumps([injector("stable", "2")]))
    assert ORDER in renew("--check", files=[str(planned)]).succeeded().output
    assert played.state.log == []


def test_nothing_is_restarted_before_istiod_injects_the_new_build(
    played: Controllers, renew: Callable[..., Run]
) -> None:
    played.image = IMAGE
    failed = renew(timeout=1)
    assert failed.code != 0 and "changed=0" in failed.output
    assert f"StatefulSet bar/db: istiod would still inject {IMAGE}, expected {NEWER}" in told(failed)
    assert not [line for line in played.state.log if line.startswith("PATCH")]


def test_what_does_not_become_ready_ends_it_and_the_next_run_goes_on(
    played: Controllers, renew: Callable[..., Run]
) -> None:
    played.broken = {"gateway"}
    failed = renew(timeout=0)
    assert failed.code != 0
    assert "Deployment foo/gateway: its former template is back" in told(failed)
    assert {"gateway-stable", "web-stable"} <= played.pods(), "what served serves on"
    played.broken = set()
    gateway = played.state.objects[path_of(workload("Deployment", "gateway"))]
    gateway["status"]["observedGeneration"] = gateway["metadata"]["generation"]
    done = renew().succeeded()
    assert '["Deployment foo/gateway", "Deployment foo/web"]' in done.output
