"""One stage of a reset: what it finds, how that is removed, and when it is at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command

SETTLE_SECONDS = 15.0  # namespaces and sets are freed by the kernel a moment after their last user has gone
Record = dict[str, Any]


class HostResetError(Exception):
    """Something would not go; the message names it and what to try."""


@dataclass(frozen=True)
class Stage:
    """One kind of trace. find: names of what is there now. remove: removes what was found.

    required: when something stays, the reset fails and says so; else it is only reported.
    """

    kind: str
    find: Callable[[Record], list[str]]
    remove: Callable[[Record, list[str]], None]
    required: bool = True


def attempt(argv: Sequence[str], stdin: str = "") -> None:
    """Run a command whose failure shows in what its stage finds afterwards."""
    network.output(argv, timeout=60.0, stdin=stdin)


def clear(stage: Stage, record: Record, settle: float = SETTLE_SECONDS) -> list[str]:
    """Bring one stage to an end: remove what it finds, again if needed, for at most some seconds.

    Returns what stayed; raises HostResetError when that must not be.
    """
    deadline = time.monotonic() + settle
    pause = 0.05
    while True:
        names = stage.find(record)
        if not names:
            return []
        if time.monotonic() > deadline:
            break
        try:
            stage.remove(record, names)
        except (OSError, host_command.HostStateError) as error:
            if time.monotonic() + pause > deadline:
                raise HostResetError(f"{stage.kind}: {error}") from error
        if not stage.required:
            return stage.find(record)
        if stage.find(record):
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
    raise HostResetError(
        f"{stage.kind}: still there after {settle:.0f} s: {', '.join(names[:10])}. "
        "Look for what uses it (fuser, lsof, journalctl), then run the reset again: it continues here"
    )
