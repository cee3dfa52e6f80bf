"""Settings of the controller's Ansible that a run does with, and does better with: an installed collection has no
ansible.cfg of its own. What a run cannot do without is said in its plays and in role twinstack."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding

CALLBACK = "twinstack.core.run_report"
#: What runs leave in an inventory's folder, which Ansible would read as a part of the inventory.
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


def unread(sources: Collection[Path], patterns: Collection[str]) -> list[Finding]:
    """Whether Ansible takes what runs leave beside an inventory for hosts.

    sources: what was given with ``-i``. patterns: INVENTORY_IGNORE_PATTERNS. A warning before the first run has left
    anything, an error after it.
    """
    taken = [name for name in LEFT if not any(re.search(pattern, name) for pattern in patterns)]
    folders = [source for source in sources if source.is_dir()]
    if not taken or not folders:
        return []
    level = "error" if any((folder / name).exists() for folder in folders for name in taken) else "warning"
    found = ", ".join(patterns) or "nothing"
    expected = f"patterns for {', '.join(taken)}, which runs leave there and which name no hosts"
    hint = f"export ANSIBLE_INVENTORY_IGNORE_REGEX='{', '.join(f'^{name}$' for name in LEFT)}'"
    return [Finding("ansible.cfg", "ignore_patterns of the inventory", found, expected, hint, level=level)]
