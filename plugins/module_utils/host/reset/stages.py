"""Return a host to its state before the install: stop, detach, remove, then undo what the host's record says.

The work is a fixed list of stages. Each can say what it finds and can remove that; the plan is what all stages find
now. When applied, every stage looks again (stopping containers makes many of their traces vanish by themselves),
removes, and waits until it finds nothing. The record goes last, so an interrupted reset continues where it was.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import RESET
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import (
    files,
    mounts,
    network,
    packages,
    packet_filters,
    processes,
    system,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, Stage, clear


def stages(mounts_named: Sequence[str] = (), recorded: bool = True) -> tuple[Stage, ...]:
    """All stages in order.

    mounts_named: mount points of the host's own whose content goes. recorded: whether there is a record, or whoever
    calls wants all gone without one; else only what the first step of an install brings is ours.
    """
    named = tuple(os.path.normpath(point) for point in mounts_named)
    store = Stage("store", partial(files.find_store, named=named), partial(files.remove_store, named=named))
    record = Stage("record", partial(files.find_record, named=named), partial(files.remove_record, named=named))
    if not recorded:
        return (store, record)
    return (
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
        Stage(
            "directory",
            partial(files.find_directories, named=named),
            partial(files.remove_directories, named=named),
        ),
        Stage("sysctl", system.find_sysctls, system.restore_sysctls),
        Stage("file", files.find_files, files.restore_files),
        Stage("package", packages.find_packages, packages.purge_packages),
        Stage("module", system.find_modules, system.unload_modules, required=False),
        Stage("swap", system.find_swap, system.turn_on_swap),
        store,
        record,
    )


STAGES = stages()


def has_record() -> bool:
    """True when the host says whose cluster it is in."""
    return Path(host_record.RECORD_PATH).exists()


def is_ours() -> bool:
    """True when this project has installed, or begun to install, on this host."""
    return has_record() or Path(files.STORE).is_dir()


def reasons(record: Record, cluster: str, without_record: bool, mounts_named: Sequence[str]) -> list[Reason]:
    """Why nothing may be undone on this host: another cluster's host, or data on what the host itself has mounted.

    cluster: the name of the one that is to go; empty, as in check mode, is compared with nothing.
    """
    found = []
    path, here = host_record.RECORD_PATH, record["cluster"]
    if has_record() and not here and not without_record:
        found.append(Reason(path, "cluster", "no name", cluster or "a name", "-e reset_without_record=true"))
    elif here and cluster and here != cluster:
        hint = f"{RESET.replace('CLUSTER', here)} --limit HOST, if that cluster is to go; else --limit '!HOST'"
        found.append(Reason(path, "cluster", here, cluster, hint))
    named = [os.path.normpath(point) for point in mounts_named]
    return found + mounts.refusals(mounts.find_foreign(files.folders()), named)


def plan(record: Record, stages: Sequence[Stage] = STAGES) -> list[tuple[str, str]]:
    """Kind and name of everything that a reset would remove or put back now, in order."""
    return [(stage.kind, name) for stage in stages for name in stage.find(record)]


def apply(record: Record, stages: Sequence[Stage] = STAGES) -> list[str]:
    """Run all stages in order; returns ``kind name`` of what stayed and may stay."""
    return [f"{stage.kind} {name}" for stage in stages for name in clear(stage, record)]
