"""The module around the steps: what it says beforehand, and what counts as a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, reconcile, reconcile_node
from ansible_collections.twinstack.core.plugins.modules import kubeadm_reconcile

ALL = ["kubelet", "kube-controller-manager", "upload_kubeadm", "restart_kube_proxy", "settle_kube_proxy"]


@pytest.fixture(name="taken")
def steps_are_only_noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be done on the host, in order."""
    taken: list[str] = []

    def note(name: str, answer: Any) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            taken.append(name)
            return answer(*arguments) if callable(answer) else answer

        return noted

    monkeypatch.setattr(kubeadm, "only_one", lambda timeout: nullcontext())
    monkeypatch.setattr(reconcile, "control_plane", note("control plane", lambda steps, _: list(steps)[:1]))
    monkeypatch.setattr(reconcile_node, "kubelet", note("kubelet", True))
    monkeypatch.setattr(reconcile_node, "restart_kube_proxy", note("kube-proxy", None))
    monkeypatch.setattr(reconcile_node, "settle_kube_proxy", note("settle", False))
    monkeypatch.setattr(reconcile_node, "ipvs_left", list)
    return taken


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """What the module prints."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        kubeadm_reconcile.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_check_mode_says_what_would_be_done_and_does_nothing(
    capsys: pytest.CaptureFixture[str], taken: list[str]
) -> None:
    found = run(
        capsys, steps=ALL, reasons=["n1: kubelet: a: b -> c"], kube_proxy={"mode": "ipvs"}, _ansible_check_mode=True
    )
    assert taken == []
    steps = ["upload_kubeadm", "kube-controller-manager", "kubelet", "restart_kube_proxy"]
    assert found["changed"]
    assert found["steps"] == steps
    assert found["diff"]["after"] == "".join(
        f"{line}\n" for line in ["n1: kubelet: a: b -> c", *(f"step {step}" for step in steps)]
    )


@pytest.mark.parametrize(
    ("left", "mode", "changed"), [([], "nftables", False), (["link"], "nftables", True), (["link"], "ipvs", False)]
)
def test_check_mode_looks_for_what_ipvs_left(
    capsys: pytest.CaptureFixture[str],
    taken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    left: list[str],
    mode: str,
    changed: bool,
) -> None:
    monkeypatch.setattr(reconcile_node, "ipvs_left", lambda: left)
    arguments = {"steps": ["settle_kube_proxy"], "kube_proxy": {"mode": mode}}
    assert run(capsys, **arguments, _ansible_check_mode=True)["changed"] is changed
    assert taken == []


def test_only_what_changed_something_counts(capsys: pytest.CaptureFixture[str], taken: list[str]) -> None:
    found = run(capsys, steps=ALL)
    assert taken == ["control plane", "kubelet", "kube-proxy", "settle"]
    assert found["changed"]
    assert found["steps"] == [ALL[0], "kubelet", "restart_kube_proxy"]
    assert not run(capsys, steps=["settle_kube_proxy"])["changed"]


def test_a_failure_is_a_message(
    capsys: pytest.CaptureFixture[str], taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(timeout: float) -> bool:
        raise reconcile.ReconcileError(f"kubelet: not in {timeout}")

    monkeypatch.setattr(reconcile_node, "kubelet", fail)
    found = run(capsys, steps=["kubelet"], timeout=7)
    assert (found["failed"], found["msg"], taken) == (True, "kubelet: not in 7.0", [])


def test_only_steps_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert "value of steps must be one or more of" in run(capsys, steps=["everything"])["msg"]
