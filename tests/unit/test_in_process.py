"""Modules whose code runs in the controller's process: the same arguments, the same ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import EndedError, InProcess

from tests.conftest import Run, task_play


class Noted(str):
    """A text with something noted about it, as Ansible's are."""


def test_what_the_code_gets_can_be_written_as_yaml() -> None:
    given = InProcess({"objects": [{"kind": Noted("A")}], "timeout": 1.5}, check_mode=False).params
    assert yaml.safe_load(yaml.safe_dump(given)) == {"objects": [{"kind": "A"}], "timeout": 1.5}


@pytest.mark.parametrize("fails", [False, True])
def test_an_end_tells_the_result_and_the_warnings(fails: bool) -> None:
    module = InProcess({}, check_mode=True)
    module.warn("look")
    with pytest.raises(EndedError) as ended:
        if fails:
            module.fail_json(msg="no", changed=True)
        module.exit_json(changed=True)
    expected: dict[str, Any] = {"changed": True, "warnings": ["look"]}
    assert ended.value.result == expected | ({"failed": True, "msg": "no"} if fails else {})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"kubeconfig": "x", "objekts": []}, "objekts"), ({"objects": []}, "missing required arguments: kubeconfig")],
)
def test_wrong_arguments_are_named(
    arguments: dict[str, Any], told: str, playbook: Callable[..., Run], tmp_path: Path
) -> None:
    done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.apply", arguments, "found"))
    assert done.code != 0 and told in done.output
