"""kube.module: how modules get a client, and the message for each failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import RefusedError
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import EndedError, InProcess

from tests.conftest import Run
from tests.unit.kube_server import State
from tests.unit.module_utils.kube.samples import SPACE


def module(kubeconfig: Path, check_mode: bool = False) -> AnsibleModule:
    """A module as an action runs it."""
    return cast("AnsibleModule", InProcess({"kubeconfig": str(kubeconfig)}, check_mode))


def told(ended: pytest.ExceptionInfo[EndedError]) -> dict[str, Any]:
    """What a task returns that failed."""
    assert ended.value.result["failed"]
    return ended.value.result


def test_a_client_uses_the_cluster_of_the_kubeconfig(served: tuple[State, Path]) -> None:
    assert kube_module.connect(module(served[1]), "test").version() == "v1.37.2"


def test_no_file_is_reported_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(EndedError) as ended:
        kube_module.connect(module(tmp_path / "none"), "test")
    assert told(ended)["msg"] == (
        f"{tmp_path}/none: kubeconfig: found no such file; expected the cluster's kubeconfig. Try: ls -l {tmp_path}"
    )


def test_an_unusable_file_is_reported_with_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("{}", encoding="utf-8")
    with pytest.raises(EndedError) as ended:
        kube_module.connect(module(tmp_path / "bad"), "test")
    text = told(ended)["msg"]
    assert text.startswith(f"{tmp_path}/bad: kubeconfig: found Invalid kube-config file")
    assert text.endswith(f"; expected a usable kubeconfig. Try: kubectl --kubeconfig {tmp_path}/bad config view")


@pytest.mark.parametrize("error", [RefusedError(403, "not yours"), OSError("not yours")])
def test_what_the_api_refuses_is_reported_in_one_form(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(EndedError) as ended, kube_module.answering(module(tmp_path / "k"), "pods", "kubectl get pods"):
        raise error
    assert told(ended)["msg"] == (
        f"{tmp_path}/k: pods: found not yours; expected an answer of the API server. Try: kubectl get pods"
    )
    assert told(ended)["finding"]["found"] == "not yours"


def test_what_else_goes_wrong_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyError), kube_module.answering(module(tmp_path / "k")):
        raise KeyError


@pytest.mark.parametrize(("there", "check_mode", "later"), [
    (True, True, False), (True, False, False), (False, True, True), (False, False, False),
])  # fmt: skip
def test_a_cluster_may_come_later_in_check_mode_only(
    tmp_path: Path, there: bool, check_mode: bool, later: bool
) -> None:
    if there:
        (tmp_path / "k").touch()
    assert kube_module.comes_later(module(tmp_path / "k", check_mode)) is later


def test_a_play_gives_the_kubeconfig_once_to_modules_and_actions(
    served: tuple[State, Path], tmp_path: Path, playbook: Callable[..., Run]
) -> None:
    """As defaults of the action group; a task's own option goes before."""
    tasks: list[dict[str, Any]] = [
        {"name": "An action", "twinstack.core.apply": {"objects": [SPACE]}},
        {"name": "A module", "twinstack.core.istio_purge": {"timeout": 1}},
        {"name": "Its own", "twinstack.core.apply": {"kubeconfig": str(tmp_path / "other")}},
    ]
    play = {"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play["module_defaults"] = {"group/twinstack.core.kubernetes": {"kubeconfig": str(served[1])}}
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = playbook("-i", "localhost,", tmp_path / "play.yml")
    assert served[0].log == ["PATCH /api/v1/namespaces/demo"]
    assert "GET /api/v1/pods" in served[0].asked, "the module's look at who has a proxy"
    assert f"{tmp_path}/other: kubeconfig: found no such file" in " ".join(done.output.split())
