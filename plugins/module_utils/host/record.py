"""What this project changed on a host, and what was there before: one JSON file that `reset` undoes."""

from __future__ import annotations

import json
import os
from typing import Any

RECORD_PATH = "/etc/twinstack/host.json"
# What kubelet and kube-proxy set by themselves, and the kernel's defaults. Originals are recorded before the host
# becomes a node; the defaults are for hosts without a record of ours.
# Sources: kubelet's setupKernelTunables, kube-proxy's ipvs proxier and conntrack set-up; the kernel's ip-sysctl,
# ipvs-sysctl and nf_conntrack-sysctl documents.
KUBERNETES_SYSCTLS: dict[str, tuple[str, str | None]] = {
    "kernel/panic": ("10", "0"),
    "kernel/panic_on_oops": ("1", "0"),
    "vm/overcommit_memory": ("1", "0"),
    "net/ipv4/conf/all/arp_ignore": ("1", "0"),
    "net/ipv4/conf/all/arp_announce": ("2", "0"),
    "net/ipv4/vs/conntrack": ("1", "0"),
    "net/ipv4/vs/conn_reuse_mode": ("0", "1"),
    "net/ipv4/vs/expire_nodest_conn": ("1", "0"),
    "net/ipv4/vs/expire_quiescent_template": ("1", "0"),
    "net/netfilter/nf_conntrack_max": ("131072", None),  # the kernel's default depends on memory
    "net/netfilter/nf_conntrack_tcp_timeout_established": ("86400", "432000"),
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait": ("3600", "60"),
}
EMPTY: dict[str, Any] = {
    "cluster": "",
    "sysctls": {},
    "files": {},
    "packages": [],
    "modules": [],
    "swap": [],
    "units": {},
}


def load(path: str = RECORD_PATH) -> dict[str, Any]:
    """Read the record; a host without one gets an empty record.

    Raises ValueError naming the file when it is not a JSON object: guessing there would lose the originals.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except FileNotFoundError:
        data = {}
    except ValueError as error:
        raise ValueError(f"{path}: found no valid JSON ({error}); restore it from a backup") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: found {type(data).__name__}, expected a JSON object")
    return {key: data.get(key, type(default)()) for key, default in EMPTY.items()}


def save(record: dict[str, Any], path: str = RECORD_PATH) -> None:
    """Write the record atomically, readable by root only."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    staged = path + ".new"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(record, stream, indent=1, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(staged, path)
