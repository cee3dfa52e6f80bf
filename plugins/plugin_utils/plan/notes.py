"""What tasks in check mode would do, noted for the plan: one line of JSON for each task and host.

The plan runs the very tasks that a run goes through, in check mode. So it says what they would do, not what somebody
thinks that they do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

#: The variable with the path of the notes, which only the plan's plays set.
VARIABLE = "plan_notes"


@dataclass(frozen=True)
class Note:
    """What one task would do on one host.

    steps: of a host, as ``unit containerd.service restarted``. created, changed, deleted: names of Kubernetes objects;
    compared: how many were looked at. part: the apply set. refused: why it would fail.
    """

    host: str
    steps: list[str] = field(default_factory=list)
    part: str = ""
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    compared: int = 0
    refused: str = ""


def of_host(host: str, result: Mapping[str, Any]) -> Note | None:
    """The note of a task on a host, out of its result; None when it would do nothing."""
    steps = [str(step) for step in result.get("steps", [])]
    steps += [f"program or package {name}" for name in result.get("missing", [])]
    steps += [f"image {name}" for name in result.get("lacking", [])]
    return Note(host, steps) if steps else None


def of_objects(part: str, result: Mapping[str, Any]) -> Note | None:
    """The note of a task of module apply, out of its result; None for a task that compares no objects."""
    fresh = {str(one["after_header"]) for one in result.get("diff", []) if not one["before"]}
    names = [str(name) for name in result.get("objects", [])]
    deleted = [str(name) for name in result.get("pruned", [])]
    compared = int(result.get("compared", 0))
    if not compared and not deleted:
        return None
    created = [name for name in names if name in fresh]
    changed = [name for name in names if name not in fresh]
    return Note("", [], part, created, changed, deleted, compared)


def add(path: Path, note: Note | None) -> None:
    """Append a note. Hosts do so at the same time: one write of a line is never torn by another."""
    if note is None:
        return
    line = json.dumps(asdict(note)) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Note]:
    """All notes; none when no task made any."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Note(**json.loads(line)) for line in lines]


def note_host(action: ActionBase, task_vars: Mapping[str, Any] | None, result: dict[str, Any]) -> None:
    """Note what an action would do on its host, when it runs for a plan, which itself changes nothing."""
    planned = (task_vars or {}).get(VARIABLE)
    if planned and not result.get("failed"):
        host = str((task_vars or {})["inventory_hostname"])
        add(Path(action._templar.template(planned)), of_host(host, result))
        result["changed"] = False
