"""Lookup ssh_setting: what role twinstack gives Ansible's SSH connections, with any ansible.cfg and none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, task_play

DEFAULTS = "roles/twinstack/defaults/main.yml"
ALIVE = "-o ServerAliveInterval=5 -o ServerAliveCountMax=2"


@pytest.fixture
def used(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., list[str]]:
    """With which words ssh is started by a task of a play that has role twinstack's defaults, once for each try."""

    def start(config: str, **variables: str) -> list[str]:
        log, ssh, cfg = tmp_path / "log", tmp_path / "ssh", tmp_path / "ansible.cfg"
        log.write_text("")
        ssh.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexit 255\n')
        ssh.chmod(0o755)
        cfg.write_text(f"[defaults]\ncollections_path={ROOT / 'collections'}\n{config}")
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"n1": variables}}}))
        role = tmp_path / "roles" / "x"
        for folder, text in (
            ("defaults", (ROOT / DEFAULTS).read_text()),
            ("tasks", json.dumps([{"name": "T", "ansible.builtin.raw": "true"}])),
        ):
            (role / folder).mkdir(parents=True, exist_ok=True)
            (role / folder / "main.yml").write_text(text)
        play = tmp_path / "play.yml"
        play.write_text(json.dumps([{"name": "P", "hosts": "n1", "gather_facts": False, "roles": ["x"]}]))
        environment = {"ANSIBLE_CONFIG": str(cfg), "ANSIBLE_SSH_EXECUTABLE": str(ssh)}
        assert "UNREACHABLE" in playbook("-i", inventory, play, environment=environment).output
        return log.read_text().splitlines()

    return start


def test_without_an_ansible_cfg(used: Callable[..., list[str]]) -> None:
    tries = used("")
    assert len(tries) == 2, "a connection that breaks is tried once more"
    assert all(f"-C -o ControlMaster=auto -o ControlPersist=60s {ALIVE}" in words for words in tries)
    assert all("ConnectTimeout=10" in words for words in tries)


def test_what_ansible_cfg_says_stays(used: Callable[..., list[str]]) -> None:
    tries = used("timeout = 4\n[ssh_connection]\nretries = 2\nssh_args = -o ProxyJump=jump\n")
    assert len(tries) == 3
    assert all(f"-o ProxyJump=jump {ALIVE}" in words and "ConnectTimeout=4" in words for words in tries)


def test_what_the_inventory_says_wins(used: Callable[..., list[str]]) -> None:
    [words] = used("", ansible_ssh_args="-o Compression=no", ansible_ssh_retries="0")
    assert "-o Compression=no" in words and "ServerAlive" not in words


def test_another_setting_is_refused(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    path = task_play(
        tmp_path, "ansible.builtin.debug", {"msg": "{{ lookup('twinstack.core.ssh_setting', 'timeout') }}"}
    )
    done = playbook("-i", "localhost,", path)
    assert done.code and "found timeout; expected ssh_args or retries" in done.output
