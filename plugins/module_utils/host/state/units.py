"""systemd units: enabled, running, and restarted when their inputs changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError, run
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import Step, UnitSpec
from ansible_collections.twinstack.core.plugins.module_utils.host.state.files import read_state


def fingerprint(paths: Sequence[str]) -> str:
    """A digest over the content of files and the targets of links, so that a unit's inputs can be compared."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        state, content, _mode, _uid, _gid = read_state(path)
        digest.update(f"{path}\0{state}\0".encode())
        if state == "link" and os.path.isfile(path):
            digest.update(os.path.realpath(path).encode())  # the store's names are content hashes
        else:
            digest.update(content.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def unit_properties(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """UnitFileState, ActiveState, LoadState and NeedDaemonReload of several units in one call of systemctl."""
    output = run(["systemctl", "show", "--property=Id,UnitFileState,ActiveState,LoadState,NeedDaemonReload", *names])
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n")]
    return dict(zip(names, [block for block in blocks if block]))


def unit_steps(units: Sequence[UnitSpec], record: dict[str, Any], changed_paths: set[str]) -> list[Step]:
    """Steps that enable, start or restart units.

    A unit's inputs are compared with those of its last start by us, not with the clock: a run that died between
    writing a file and restarting its unit is healed by the next one.
    """
    if not units:
        return []
    found = unit_properties([unit.name for unit in units])
    # A unit that systemd had not loaded it reads as it is now; a reload of all takes a second on a busy host.
    known_otherwise = any(
        have.get("LoadState") != "loaded" or have.get("NeedDaemonReload") == "yes" for have in found.values()
    )
    # It goes by the files' times, and a clock may have been set back.
    known_otherwise |= any(
        found[name].get("ActiveState") != "inactive"
        for name in found
        if any(path.startswith(f"/etc/systemd/system/{name}") for path in changed_paths)
    )

    def apply(unit: UnitSpec, verb: str) -> None:
        nonlocal known_otherwise
        if known_otherwise:
            run(["systemctl", "daemon-reload"])
            known_otherwise = False
        # What is loaded already would else be called disabled until systemd reloads all units.
        fresh = verb == "enable" and found.get(unit.name, {}).get("ActiveState") == "inactive"
        start_unit(unit, verb, record, *(["--no-reload"] if fresh else []))

    steps = []
    for unit in units:
        have = found.get(unit.name, {})
        enabled = have.get("UnitFileState") in ("enabled", "static", "alias", "generated", "enabled-runtime")
        active = have.get("ActiveState") in ("active", "activating", "reloading")
        inputs = fingerprint(unit.watch)
        stale = record["units"].get(unit.name) != inputs or bool(changed_paths & set(unit.watch))
        if unit.enabled and not enabled:
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    f"{have.get('UnitFileState') or 'absent'}\n",
                    "enabled\n",
                    lambda unit=unit: apply(unit, "enable"),  # type: ignore[misc]
                )
            )
        if unit.must_run and (not active or stale):
            verb = "restart" if active else "start"
            before = f"{have.get('ActiveState') or 'absent'}{', inputs changed' if active else ''}\n"
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    before,
                    f"{verb}ed\n",
                    lambda unit=unit, verb=verb: apply(unit, verb),  # type: ignore[misc]
                )
            )
        elif not unit.must_run and active and stale and unit.watch:
            # kubeadm starts it; once it runs it must still follow its files.
            steps.append(
                Step(
                    "unit",
                    unit.name,
                    "active, inputs changed\n",
                    "restarted\n",
                    lambda unit=unit: apply(unit, "restart"),  # type: ignore[misc]
                )
            )
    return steps


def start_unit(unit: UnitSpec, verb: str, record: dict[str, Any], *options: str) -> None:
    """Enable, start or restart a unit and remember the inputs it started with."""
    try:
        run(["systemctl", verb, *options, unit.name])
    except HostStateError as error:
        raise HostStateError(f"{error}. Try: journalctl --unit {unit.name} --lines 30") from error
    record["units"].setdefault(unit.name, "")
    if verb in ("start", "restart") or not unit.running:
        record["units"][unit.name] = fingerprint(unit.watch)
    host_record.save(record)
