"""A node is drained and deleted by kubectl, here one that writes down what it was told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import node as cluster_node
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.node import Node

STUCK = """node/worker1 cordoned
Warning: ignoring DaemonSet-managed Pods: kube-system/kube-proxy-x
evicting pod foo/web-1
evicting pod bar/db-0
error when evicting pods/"db-0" -n "bar" (will retry after 5s): Cannot evict pod as it would violate the pod's budget.
error when evicting pods/"db-0" -n "bar" (will retry after 5s): Cannot evict pod as it would violate the pod's budget.
error: unable to drain node "worker1" due to error: global timeout reached: 5m0s
"""


class Kubectl:
    """Answers by the first argument: exit status and text, on both outputs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        program = folder / "kubectl"
        program.write_text(
            f"""#!/bin/sh
echo "$@" >> {self.calls}
cat {folder}/$2.out 2>/dev/null
cat {folder}/$2.err >&2 2>/dev/null
exit $(cat {folder}/$2.status 2>/dev/null || echo 0)
""",
            encoding="utf-8",
        )
        program.chmod(0o755)
        monkeypatch.setattr(cluster_node, "KUBECTL", (str(program),))

    def answer(self, word: str, out: str = "", err: str = "", status: int = 0) -> None:
        """What it says from now on."""
        for kind, text in (("out", out), ("err", err), ("status", str(status))):
            (self.folder / f"{word}.{kind}").write_text(text, encoding="utf-8")

    def words(self) -> list[str]:
        """What it was told, without the limit of time that each has."""
        return [line.split(" ", 1)[1] for line in self.calls.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """A kubectl to which all succeeds."""
    return Kubectl(tmp_path, monkeypatch)


def test_a_node_is_known_by_its_machine(kubectl: Kubectl) -> None:
    assert cluster_node.get("worker1") is None
    kubectl.answer("get", json.dumps({"spec": {"unschedulable": True}, "status": {"nodeInfo": {"machineID": "aa"}}}))
    assert cluster_node.get("worker1") == Node("aa", cordoned=True)
    kubectl.answer("get", err="E1 retry\nThe connection to the server was refused\n", status=1)
    with pytest.raises(cluster_node.NoAnswerError, match="^The connection to the server was refused$"):
        cluster_node.get("worker1")


def test_no_kubectl_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_node, "KUBECTL", ("/nowhere/kubectl",))
    with pytest.raises(cluster_node.NoAnswerError, match="No such file"):
        cluster_node.get("worker1")


@pytest.mark.parametrize("check", [False, True])
def test_pods_are_evicted_within_their_budgets(kubectl: Kubectl, check: bool) -> None:
    kubectl.answer("drain", out="node/worker1 cordoned\nevicting pod foo/web-1\nevicting pod foo/web-2 (dry run)\n")
    assert cluster_node.drain("worker1", Node("aa", False), 40, check) == (["foo/web-1", "foo/web-2"], [])
    (call,) = kubectl.words()
    assert "--timeout=40s" in call and "--disable-eviction" not in call
    assert ("--dry-run=client" in call) is check


@pytest.mark.parametrize("cordoned", [False, True])
def test_a_drain_without_an_end_names_pods_and_lifts_only_its_own_cordon(kubectl: Kubectl, cordoned: bool) -> None:
    kubectl.answer("drain", err=STUCK, status=1)
    evicted, reasons = cluster_node.drain("worker1", Node("aa", cordoned), 300, check=False)
    assert evicted == ["bar/db-0", "foo/web-1"]
    (reason,) = reasons
    assert reason.line().startswith(
        "pod bar/db-0: eviction: found Cannot evict pod as it would violate the pod's budget"
    )
    assert "reset_drain=false" in reason.hint
    assert ("uncordon worker1" in kubectl.words()) is not cordoned


def test_another_failure_has_kubectls_last_words(kubectl: Kubectl) -> None:
    kubectl.answer("drain", err="a\nerror: unable to cordon\n\n", status=1)
    (reason,) = cluster_node.drain("worker1", Node("aa", False), 300, check=True)[1]
    assert reason.found == "error: unable to cordon"
    assert not [call for call in kubectl.words() if call.startswith("uncordon")], "check mode has changed something"


def test_deleting(kubectl: Kubectl) -> None:
    assert cluster_node.delete("worker1") == ""
    kubectl.answer("delete", err="error: forbidden\n", status=1)
    assert cluster_node.delete("worker1") == "error: forbidden"
