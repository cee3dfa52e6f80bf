"""Steps on a node: kubeadm, systemctl and kubectl are scripts; kubelet and kube-proxy are what a test says of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, reconcile, reconcile_node, running
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import network, packet_filters

from tests.unit.module_utils.host.reconcile_samples import Programs

WANTED = {"kind": "KubeProxyConfiguration", "mode": "ipvs", "ipvs": {"minSyncPeriod": "3s"}}


@pytest.fixture(name="programs")
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A node whose kubelet is well and whose programs do nothing."""
    programs = Programs(tmp_path / "programs")
    for name in ("systemctl", "journalctl"):
        programs.add(name)
    monkeypatch.setenv("PATH", f"{programs.folder}:{os.environ['PATH']}")
    monkeypatch.setattr(kubeadm, "KUBEADM", programs.add("kubeadm"))
    monkeypatch.setattr(reconcile_node, "KUBECTL", programs.add("kubectl"))
    monkeypatch.setattr(reconcile_node, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(running, "KUBELET_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setattr(running, "page", lambda url: "ok" if url == reconcile_node.KUBELET_HEALTH else "")
    monkeypatch.setattr(running, "kubelet_behind", lambda path: False)
    (tmp_path / "config.yaml").write_text("old\n")
    return programs


UPGRADE = "kubeadm upgrade node phase kubelet-config"
RESTART = "systemctl restart kubelet.service"


def test_kubelet_restarts_with_a_changed_configuration(programs: Programs, tmp_path: Path) -> None:
    programs.add("kubeadm", f"echo new > {tmp_path}/config.yaml")
    assert reconcile_node.kubelet(5)
    assert programs.log == [UPGRADE, RESTART]


def test_kubelet_does_not_restart_for_nothing(programs: Programs) -> None:
    assert not reconcile_node.kubelet(5)
    assert programs.log == [UPGRADE]


def test_a_run_that_was_cut_off_before_the_restart_goes_on(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "kubelet_behind", lambda path: True)
    assert reconcile_node.kubelet(5)
    assert programs.log == [UPGRADE, RESTART]


def test_kubeadm_that_fails_leaves_kubelet_alone(programs: Programs, tmp_path: Path) -> None:
    programs.add("kubeadm", "echo no ConfigMap >&2; exit 1")
    with pytest.raises(reconcile.ReconcileError, match="no ConfigMap"):
        reconcile_node.kubelet(5)
    assert programs.log == [UPGRADE]
    assert (tmp_path / "config.yaml").read_text() == "old\n"


def test_a_kubelet_that_does_not_start_gets_its_configuration_back(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two starts that failed, not after the whole wait; and it is well again with the old one."""
    config = tmp_path / "config.yaml"
    monkeypatch.setattr(running, "page", lambda url: "ok" if config.read_text() == "old\n" else "")
    programs.add("kubeadm", f"echo new > {config}")
    programs.add("systemctl", 'if [ "$1" = show ]; then echo 2; fi')
    programs.add("journalctl", "echo unknown field")
    with pytest.raises(reconcile.ReconcileError, match="(?s)ends each time it starts.*unknown field"):
        reconcile_node.kubelet(60)
    assert config.read_text() == "old\n"
    assert [line for line in programs.log if line == RESTART] == [RESTART] * 2
    assert programs.log[-1] == RESTART


# --- kube-proxy ----------------------------------------------------------------------------------------------------


def pod(uid: str, ready: str, **container: Any) -> dict[str, Any]:
    """A pod as kubectl shows it."""
    status = {"conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [container]}
    return {"metadata": {"uid": uid}, "status": status}


def shows(programs: Programs, *answers: list[dict[str, Any]]) -> None:
    """A kubectl whose `get` gives one answer after the other, and then the last."""
    for number, pods in enumerate(answers):
        (programs.folder / f"pods{number}").write_text(json.dumps({"items": pods}))
    programs.add(
        "kubectl",
        f'case "$*" in *" get "*) cd {programs.folder}; n=$(cat n 2>/dev/null || echo 0); cat pods$n;'
        f" [ -e pods$((n + 1)) ] && echo $((n + 1)) > n; true;; esac",
    )


OLD, NEW = pod("old", "True"), pod("new", "True")
ASKED = "--selector k8s-app=kube-proxy --field-selector spec.nodeName=w1"


def test_only_this_node_s_kube_proxy_is_replaced(programs: Programs) -> None:
    shows(programs, [OLD], [OLD], [], [pod("new", "False")], [NEW])
    reconcile_node.restart_kube_proxy("w1", 5)
    head = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system"
    assert programs.log == [
        f"{head} get pods {ASKED} --output json",
        f"{head} delete pod {ASKED} --wait=false --ignore-not-found",
        *[f"{head} get pods {ASKED} --output json"] * 4,
    ]


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "no image"}}}, "ErrImageNeverPull no image"),
        ({"restartCount": 2, "lastState": {"terminated": {"message": "unknown field"}}}, "2 restarts unknown field"),
    ],
)
def test_a_kube_proxy_that_cannot_start_is_not_waited_for(
    programs: Programs, container: dict[str, Any], words: str
) -> None:
    shows(programs, [OLD], [pod("new", "False", **container)])
    with pytest.raises(reconcile.ReconcileError, match=f"kube-proxy on w1: found {words}; expected"):
        reconcile_node.restart_kube_proxy("w1", 60)


def test_a_kube_proxy_that_does_not_come_back_is_named(programs: Programs) -> None:
    shows(programs, [OLD])
    with pytest.raises(reconcile.ReconcileError, match="found no new pod that is ready after 0 s"):
        reconcile_node.restart_kube_proxy("w1", 0.1)


@pytest.mark.usefixtures("programs")
def test_kube_proxy_has_settled_with_the_new_settings_and_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([{}, {"mode": "nftables"}, WANTED, WANTED, WANTED])
    families = iter([set(), {"IPv4"}, {"IPv4"}, {"IPv4", "IPv6"}])
    monkeypatch.setattr(running, "kube_proxy", lambda: next(found))
    monkeypatch.setattr(running, "synced_families", lambda: next(families))
    monkeypatch.setattr(reconcile_node, "remove_ipvs", lambda: pytest.fail("it is in use"))
    assert not reconcile_node.settle_kube_proxy(WANTED, 5)
    assert next(families, None) is None


@pytest.mark.parametrize(
    ("found", "families", "words"),
    [
        ({}, {"IPv4", "IPv6"}, "no rules of IPv4 and IPv6"),
        (WANTED, {"IPv4"}, "no rules of IPv6"),
        (WANTED | {"mode": "iptables"}, {"IPv4", "IPv6"}, "mode 'iptables' instead of 'ipvs'"),
    ],
)
@pytest.mark.usefixtures("programs")
def test_what_kube_proxy_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], families: set[str], words: str
) -> None:
    monkeypatch.setattr(running, "kube_proxy", lambda: found)
    monkeypatch.setattr(running, "synced_families", lambda: families)
    with pytest.raises(reconcile.ReconcileError, match=f"found {words} after 0 s"):
        reconcile_node.settle_kube_proxy(WANTED, 0.05)


@pytest.mark.usefixtures("programs")
def test_what_ipvs_left_goes_after_the_new_rules_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, told = {"mode": "nftables"}, []
    left = [["5 virtual services"], ["kube-ipvs0", "vxlan.calico"]]
    families: list[set[str]] = [{"IPv4"}, {"IPv4", "IPv6"}]

    def synced() -> set[str]:
        told.append("asked")
        return families.pop(0)

    def clear(*_: object) -> None:
        told.append("services")
        left[0].clear()

    def remove(_: object, names: list[str]) -> None:
        told.append("link")
        left[1].remove(*names)

    monkeypatch.setattr(running, "kube_proxy", lambda: wanted)
    monkeypatch.setattr(running, "synced_families", synced)
    monkeypatch.setattr(packet_filters, "find_ipvs", lambda record: left[0])
    monkeypatch.setattr(network, "find_links", lambda record: left[1])
    monkeypatch.setattr(packet_filters, "clear_ipvs", clear)
    monkeypatch.setattr(network, "remove_links", remove)
    assert reconcile_node.settle_kube_proxy(wanted, 5)
    assert told == ["asked", "asked", "services", "link"]
    assert left == [[], ["vxlan.calico"]]
    families[:] = [{"IPv4", "IPv6"}]
    assert not reconcile_node.settle_kube_proxy(wanted, 5)
    assert "services" not in told[4:]


def test_what_will_not_go_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filters, "find_ipvs", lambda record: ["5 virtual services"])
    monkeypatch.setattr(packet_filters, "clear_ipvs", lambda record, names: None)
    monkeypatch.setattr(network, "find_links", lambda record: [])
    monkeypatch.setattr(network, "remove_links", lambda record, names: None)
    with pytest.raises(reconcile.ReconcileError, match="found 5 virtual services; expected none"):
        reconcile_node.remove_ipvs()
