"""What module cluster_node makes of a node, with the API's answers given."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import node as cluster_node
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.node import Node
from ansible_collections.twinstack.core.plugins.modules import cluster_node as module


def run(capsys: pytest.CaptureFixture[str], state: str, check: bool = False) -> dict[str, Any]:
    """One run of the module for the machine aa; what it printed."""
    given = {"node": "worker1", "machine_id": "aa", "state": state, "_ansible_check_mode": check}
    with patch_module_args(given), pytest.raises(SystemExit):
        module.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to the node, which is there and the host's own."""
    calls: list[str] = []

    def drain(name: str, _node: Node, seconds: int, check: bool) -> tuple[list[str], list[Reason]]:
        calls.append(f"drain {name} {seconds} {check}")
        return ["foo/web"], []

    def delete(name: str) -> str:
        calls.append(f"delete {name}")
        return ""

    monkeypatch.setattr(cluster_node, "get", lambda _name: Node("aa", cordoned=False))
    monkeypatch.setattr(cluster_node, "drain", drain)
    monkeypatch.setattr(cluster_node, "delete", delete)
    return calls


@pytest.mark.parametrize("state", ["drained", "absent"])
def test_a_node_that_is_there_is_drained_or_deleted(
    done: list[str], capsys: pytest.CaptureFixture[str], state: str
) -> None:
    assert run(capsys, state, check=True)["changed"] is True
    assert "delete worker1" not in done, "check mode has deleted it"
    assert run(capsys, state)["changed"] is True
    assert done[-1] == {"drained": "drain worker1 300 False", "absent": "delete worker1"}[state]


@pytest.mark.parametrize("state", ["drained", "absent"])
@pytest.mark.parametrize(
    ("node", "found", "warning"),
    [(None, "absent", ""), (Node("bb", False), "other", "machine-id: found bb"), ("silent", "unknown", "refused")],
)
def test_a_node_that_is_not_the_hosts_is_left_alone(
    done: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    node: Node | str | None,
    found: str,
    warning: str,
) -> None:
    """And a control plane that does not answer is a warning."""

    def get(_name: str) -> Node | None:
        if isinstance(node, str):
            raise cluster_node.NoAnswerError("connection refused")
        return node

    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    monkeypatch.setattr(cluster_node, "get", get)
    result = run(capsys, state)
    assert (result["changed"], result["found"], done) == (False, found, [])
    assert [warning in text for text in warned] == ([True] if warning else [])


def test_a_drain_without_an_end_refuses(
    done: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = [Reason("pod a/b", "eviction", "budget", "x"), Reason("pod a/c", "eviction", "budget", "x")]
    monkeypatch.setattr(cluster_node, "drain", lambda *_given: ([], reasons))
    result = run(capsys, "drained")
    assert result["failed"] and result["msg"].startswith("2 reasons not to take node worker1 out of the cluster")
    assert done == []


def test_a_node_that_cannot_be_deleted_is_told(
    done: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_node, "delete", lambda _name: "error: forbidden")
    assert "found error: forbidden" in run(capsys, "absent")["msg"]
