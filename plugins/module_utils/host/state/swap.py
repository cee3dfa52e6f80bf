"""Swap, off now and at boot."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import run
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import FileSpec, Step
from ansible_collections.twinstack.core.plugins.module_utils.host.state.files import file_steps, read_state


def active_swaps() -> list[str]:
    """Devices and files that are in use as swap."""
    try:
        with open("/proc/swaps", encoding="utf-8") as stream:
            return [line.split()[0] for line in stream.readlines()[1:]]
    except FileNotFoundError:
        return []


def without_swap(fstab: str) -> str:
    """An fstab whose swap lines are commented out."""
    lines = []
    for line in fstab.splitlines(keepends=True):
        fields = line.split()
        is_swap = len(fields) >= 3 and not line.lstrip().startswith("#") and fields[2] == "swap"
        lines.append(f"# twinstack: {line}" if is_swap else line)
    return "".join(lines)


def swap_steps(wanted_off: bool, record: dict[str, Any]) -> list[Step]:
    """Steps that turn swap off now and at boot."""
    if not wanted_off:
        return []
    steps = []
    swaps = active_swaps()
    if swaps:

        def turn_off() -> None:
            record["swap"] = sorted({*record["swap"], *swaps})
            host_record.save(record)
            run(["swapoff", "--all"])

        steps.append(Step("swap", "swap", "".join(f"{name}\n" for name in swaps), "", turn_off))
    state, content, mode, _uid, _gid = read_state("/etc/fstab")
    if state == "file" and without_swap(content) != content:
        steps += file_steps([FileSpec("/etc/fstab", content=without_swap(content), mode=mode)], record)
    return steps
