"""Callback run_report as a real run uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT, Run

CANARY = "canary-5e1f"
PLAY = f"""
- name: First
  hosts: all
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    password: {CANARY}
  tasks:
    - name: Use {{{{ password }}}}
      ansible.builtin.set_fact:
        secret: "{{{{ password }}}}"
      no_log: true
    - name: Pass it on
      ansible.builtin.command:
        argv: [cat]
        stdin: "{{{{ password }}}}"
      no_log: true
    - name: Say something
      ansible.builtin.debug:
        msg: a plain message
- name: Second
  hosts: two
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - name: Fail with a secret
      ansible.builtin.command:
        argv: [sh, -c, cat; false]
        stdin: {CANARY}
      no_log: true
"""


def environment(folder: Path) -> Path:
    """An inventory of two local hosts and the playbook; the inventory's folder."""
    inventory = folder / "env"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("all: {hosts: {one: {}, two: {}}}\n", encoding="utf-8")
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    return inventory


def test_a_run_leaves_its_record_and_no_secret(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    inventory = environment(tmp_path)
    done = playbook("-i", inventory, tmp_path / "play.yml")
    assert done.code != 0
    data = json.loads((inventory / ".artifacts/run.json").read_text())
    assert [phase["name"] for phase in data["phases"]] == ["First", "Second"]
    tasks = data["phases"][0]["roles"][0]["tasks"]
    assert [task["name"] for task in tasks] == ["Use {{ password }}", "Pass it on", "Say something"]
    assert tasks[1]["hosts"]["one"]["status"] == "changed"
    assert data["phases"][1]["roles"][0]["tasks"][0]["hosts"]["two"]["status"] == "failed"
    assert data["stats"]["one"] == {"ok": 3, "changed": 1, "failed": 0, "unreachable": 0, "skipped": 0}
    assert not data["ok"]
    assert data["finished"]
    assert data["ssh_executions"] == {}, "local connections are no SSH"
    written = "".join(path.read_text() for path in (inventory / ".artifacts").rglob("*.json"))
    assert CANARY not in written
    assert "a plain message" not in written, "results have no place in the record"


def test_the_screen_shows_phases_messages_and_failures(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    inventory = environment(tmp_path)
    output = playbook("-i", inventory, tmp_path / "play.yml").output
    assert "First (2 hosts)" in output
    assert "Second (1 host)" in output
    assert output.count("a plain message") == 2
    assert "fatal: [two]: FAILED!" in output
    assert "TASK [Pass it on]" not in output, "a task that went well is no line of its own"
    assert "2 changed" in output


def test_the_long_form_shows_every_task(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    inventory = environment(tmp_path)
    assert "TASK [Pass it on]" in playbook("-v", "-i", inventory, tmp_path / "play.yml").output


def test_without_an_inventory_folder_nothing_is_written(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    text = "[{hosts: localhost, connection: local, gather_facts: false, name: P, tasks: []}]"
    (tmp_path / "play.yml").write_text(text, encoding="utf-8")
    playbook("-i", "localhost,", tmp_path / "play.yml").succeeded()
    assert not (tmp_path / ".artifacts").exists()
    assert not (ROOT / "None").exists()
