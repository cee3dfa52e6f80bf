"""Settings of the controller's Ansible that a run does with, and does better with: an installed collection has no
ansible.cfg of its own. What a run cannot do without is said in its plays and in role twinstack."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding

CALLBACK = "twinstack.core.run_report"


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
