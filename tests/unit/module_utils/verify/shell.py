"""Batches for real, in a shell on this machine."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Action, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.outside import run_outside
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge, parse_output
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch


def run(actions: dict[int, Action]) -> dict[int, Verdict]:
    """How each action ends here."""
    output = parse_output(run_outside((), batch(actions), 30))
    return {key: judge(key, action, output) for key, action in actions.items()}
