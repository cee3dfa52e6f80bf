"""What runs on a host of a cluster: units, cgroups of pods, and processes that outlive containerd."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt

UNITS = ("kubelet.service", image_store.UNITS, "containerd.service")
CGROUPS = ("/sys/fs/cgroup/kubepods.slice", "/sys/fs/cgroup/kubepods")


def own_units(record: Record) -> list[str]:
    """Kubernetes' units and those whose unit file this project has written."""
    written = [Path(path).name for path, original in record["files"].items() if original is None]
    return sorted({*UNITS, *(name for name in written if name.endswith((".service", ".timer", ".socket", ".path")))})


def parse_units(text: str) -> list[str]:
    """Units that run or start at boot, out of ``systemctl show --property=Id,ActiveState,UnitFileState``."""
    found = []
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        running = values.get("ActiveState") in ("active", "activating", "reloading", "deactivating")
        if running or values.get("UnitFileState") in ("enabled", "enabled-runtime"):
            found.append(values.get("Id", ""))
    return [name for name in found if name]


def find_units(record: Record) -> list[str]:
    """Own units that run or start at boot."""
    return parse_units(
        network.output(["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *own_units(record)])
    )


def stop_units(_record: Record, names: list[str]) -> None:
    """Stop kubelet first, so that it restarts nothing, containerd last, whose images an import may be using."""
    for name in sorted(names, key=lambda name: (name != "kubelet.service", name == "containerd.service")):
        attempt(["systemctl", "stop", name])
        attempt(["systemctl", "disable", name])  # apart: a transient unit cannot be disabled


def find_cgroups(_record: Record) -> list[str]:
    """The cgroups that hold all pods."""
    return [path for path in CGROUPS if Path(path).is_dir()]


def remove_cgroups(_record: Record, names: list[str]) -> None:
    """Kill all containers at once, then remove their (now empty) cgroups."""
    for name in names:
        with suppress(OSError):
            (Path(name) / "cgroup.kill").write_text("1", encoding="ascii")
        if name.endswith(".slice"):
            attempt(["systemctl", "stop", Path(name).name])
        for folder, _, _ in os.walk(name, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def find_processes(_record: Record) -> list[str]:
    """Program and process id of containerd's shims, which outlive containerd."""
    processes = [item.name for item in Path("/proc").iterdir() if item.name.isdigit()]
    programs = {process: network.program(process) for process in processes}
    return [f"{name} {process}" for process, name in programs.items() if name.startswith("containerd-shim")]


def kill_processes(_record: Record, names: list[str]) -> None:
    """Kill processes by their id."""
    for name in names:
        with suppress(ProcessLookupError):
            os.kill(int(name.split()[-1]), signal.SIGKILL)
