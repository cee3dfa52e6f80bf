"""Modules whose code runs in the controller's process: the same arguments, the same ends."""

from __future__ import annotations

import base64
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.in_process import (
    EndedError,
    InProcess,
    short_lived_files,
)

from tests.conftest import Run, task_play


class Noted(str):
    """A text with something noted about it, as Ansible's are."""


def test_what_the_code_gets_can_be_written_as_yaml() -> None:
    objects = [{"kind": Noted("A"), "built": datetime.date(2026, 11, 26)}]
    given = InProcess({"objects": objects, "timeout": 1.5}, check_mode=False).params
    assert yaml.safe_load(yaml.safe_dump(given)) == {"objects": [{"kind": "A", "built": "2026-11-26"}], "timeout": 1.5}


@pytest.mark.parametrize("fails", [False, True])
def test_an_end_returns_the_result_and_the_warnings(fails: bool) -> None:
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


def test_temporary_files_go_with_the_task() -> None:
    before = tempfile.gettempdir()
    with pytest.raises(RuntimeError), short_lived_files():
        path = Path(tempfile.mkstemp()[1])
        assert path.exists()
        raise RuntimeError
    assert not path.exists() and tempfile.gettempdir() == before


def test_no_key_of_a_kubeconfig_is_left(
    playbook: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Kubernetes client writes it into a file, which only the end of a process removes."""
    text = base64.b64encode(b"nothing that works").decode()
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": text}
    config = {
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": {"client-certificate-data": text, "client-key-data": text}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(tmp_path / "tmp" / "ansible"))
    arguments = {"kubeconfig": str(tmp_path / "kubeconfig"), "objects": []}
    path = task_play(tmp_path, "twinstack.core.apply", arguments, "found['objects']")
    output = playbook("-i", "localhost,", path, "--check").succeeded().output
    assert "the API server does not answer" in output
    assert [one for one in (tmp_path / "tmp").rglob("*") if one.is_file()] == []
