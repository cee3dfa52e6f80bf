"""Module kubeadm: with --check it says what it would do, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm
from ansible_collections.twinstack.core.plugins.modules import kubeadm as module


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host on which every kubeadm fails whose name for it is not ``works``."""
    program = tmp_path / "kubeadm"
    program.write_text(f"#!/bin/sh\ntest -e {tmp_path}/works\n")
    program.chmod(0o755)
    names = {"KUBEADM": "kubeadm", "RECORD": "record", "CONFIG": "config", "ETCD_MEMBER": "etcd", "CA_FILE": "ca"}
    for name, path in names.items():
        monkeypatch.setattr(kubeadm, name, str(tmp_path / path))
    monkeypatch.setattr(kubeadm, "foreign_state", list)
    return tmp_path


def run(config: str, capsys: pytest.CaptureFixture[str], check: bool = False) -> dict[str, Any]:
    """What the module returns for phase init."""
    arguments = {"phase": "init", "config": config, "_ansible_check_mode": check}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def content(folder: Path) -> dict[str, bytes]:
    """All files by name, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_check_mode_says_what_would_be_done_and_changes_nothing(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(host)
    assert run("old\n", capsys, check=True)["decision"] == "run"
    assert content(host) == before
    assert "exit status 1" in run("old\n", capsys)["msg"]
    before = content(host)
    for config, decision, shown in (("old\n", "resume", ""), ("new\n", "restart", "old\n")):
        found = run(config, capsys, check=True)
        assert (found["changed"], found["decision"]) == (True, decision)
        assert (found["diff"]["before"], found["diff"]["after"]) == (shown, config)
    assert content(host) == before
    (host / "works").touch()
    assert run("new\n", capsys)["decision"] == "restart"
    for config in ("new\n", "newer\n"):
        for check in (True, False):
            found = run(config, capsys, check=check)
            assert (found["changed"], found["decision"]) == (False, "nothing")
