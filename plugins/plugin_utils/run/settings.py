"""Settings of the controller's Ansible that a run does with, and does better with: an installed collection has no
ansible.cfg of its own. What a run cannot do without is said in its plays and in role twinstack."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding

CALLBACK = "twinstack.core.run_report"
#: What runs leave in an inventory's folder, each with a dot before it: Ansible reads every other file there as hosts.
LEFT = ("artifacts", "secrets", "known_hosts")


def missing(callbacks: Collection[str]) -> list[Finding]:
    """Warnings about settings.

    callbacks: names of the callbacks that are in use, the one for standard output among them.
    """
    if CALLBACK in callbacks:
        return []
    shown = ", ".join(sorted(callbacks)) or "nothing"
    expected = f"{CALLBACK}, which writes run.json; without it every run verifies everything again"
    hint = f"export ANSIBLE_STDOUT_CALLBACK={CALLBACK}"
    return [Finding("ansible.cfg", "stdout_callback", shown, expected, hint, level="warning")]


def left_by_earlier_releases(folder: Path, chosen: Collection[Path]) -> list[Finding]:
    """What earlier releases left in an inventory's folder under names that Ansible takes for hosts.

    folder: the inventory's. chosen: places that the inventory sets itself; what lies there stays.
    """
    moves = [name for name in LEFT if (folder / name).exists() and folder / name not in chosen]
    if not moves:
        return []
    commands = [f"mv {shlex.quote(str(folder / name))} {shlex.quote(str(folder / f'.{name}'))}" for name in moves]
    if "known_hosts" in moves:
        commands.append("set UserKnownHostsFile={{ inventory_dir }}/.known_hosts in group_vars/all/connection.yml")
    expected = f"{', '.join(f'.{name}' for name in moves)}, which Ansible does not read as hosts"
    return [Finding(folder.name, "files of an earlier release", ", ".join(moves), expected, " && ".join(commands))]
