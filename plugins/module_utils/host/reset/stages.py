"""Return a host to its state before the install: stop, detach, remove, then undo what the host's record says.

The work is a fixed list of stages. Each can say what it finds and can remove that; the plan is what all stages find
now. When applied, every stage looks again (stopping containers makes many of their traces vanish by themselves),
removes, and waits until it finds nothing. The record goes last, so an interrupted reset continues where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import (
    files,
    mounts,
    network,
    packet_filters,
    processes,
    system,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, Stage, clear

STAGES = (
    Stage("unit", processes.find_units, processes.stop_units),
    Stage("cgroup", processes.find_cgroups, processes.remove_cgroups),
    Stage("process", processes.find_processes, processes.kill_processes),
    Stage("mount", mounts.find_mounts, mounts.unmount),
    Stage("network namespace", mounts.find_namespaces, mounts.remove_namespaces),
    Stage("link", network.find_links, network.remove_links),
    Stage("tunnel address", network.find_tunnel_addresses, network.flush_tunnel_addresses),
    Stage("ipvs", packet_filters.find_ipvs, packet_filters.clear_ipvs),
    Stage("firewall", packet_filters.find_rules, packet_filters.remove_rules),
    Stage("ipset", packet_filters.find_ipsets, packet_filters.remove_ipsets),
    Stage("route", network.find_routes, network.remove_routes),
    Stage("directory", files.find_directories, files.remove_directories),
    Stage("sysctl", system.find_sysctls, system.restore_sysctls),
    Stage("file", files.find_files, files.restore_files),
    Stage("package", system.find_packages, system.purge_packages),
    Stage("module", system.find_modules, system.unload_modules, required=False),
    Stage("swap", system.find_swap, system.turn_on_swap),
    Stage("store", files.find_store, files.remove_store),
    Stage("record", files.find_record, files.remove_record),
)


def is_ours() -> bool:
    """True when this project has installed, or begun to install, on this host."""
    return Path(host_record.RECORD_PATH).exists() or Path(files.STORE).is_dir()


def plan(record: Record, stages: Sequence[Stage] = STAGES) -> list[tuple[str, str]]:
    """Kind and name of everything that a reset would remove or put back now, in order."""
    return [(stage.kind, name) for stage in stages for name in stage.find(record)]


def apply(record: Record, stages: Sequence[Stage] = STAGES) -> list[str]:
    """Run all stages in order; returns ``kind name`` of what stayed and may stay."""
    return [f"{stage.kind} {name}" for stage in stages for name in clear(stage, record)]
