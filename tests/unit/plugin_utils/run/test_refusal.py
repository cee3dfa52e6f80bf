"""A list of reasons is printed once, whatever callback prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, run

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - twinstack.core.validate_inventory:
"""


@pytest.mark.parametrize("callback", ["default", "twinstack.core.run_report"])
def test_the_list_is_printed_once(callback: str, tmp_path: Path) -> None:
    """An inventory with nothing in it but a host: several settings are missing, each is named once."""
    inventory = tmp_path / "lab"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("all: {children: {control_plane: {hosts: {n1: {}}}}}\n")
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    environment = {"ANSIBLE_STDOUT_CALLBACK": callback, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    done = run("ansible-playbook", "-i", inventory, tmp_path / "play.yml", cwd=tmp_path, environment=environment)
    assert done.code
    shown = done.output.replace("\n", " ")
    assert shown.count("n1: ipv4: found") == 1 and shown.count("n1: ipv6: found") == 1
    assert "reasons not to contact any host" in shown
