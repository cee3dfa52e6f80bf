"""Kernel modules and sysctls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError, run
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import Step


def module_present(name: str) -> bool:
    """True when the kernel has the module loaded or built in."""
    folder = name.replace("-", "_")
    if os.path.isdir(f"/sys/module/{folder}"):
        return True
    try:
        with open(f"/lib/modules/{os.uname().release}/modules.builtin", encoding="utf-8") as stream:
            built_in = {os.path.basename(line.strip()).split(".")[0].replace("-", "_") for line in stream}
    except FileNotFoundError:
        # A kernel without a module tree (all built in) has nothing to load; preflight has verified its features.
        return not os.path.isdir(f"/lib/modules/{os.uname().release}")
    return folder in built_in


def module_steps(names: Sequence[str], record: dict[str, Any]) -> list[Step]:
    """One step per kernel module that is neither loaded nor built in."""

    def load(name: str) -> None:
        record["modules"] = sorted({*record["modules"], name})
        host_record.save(record)
        run(["modprobe", name])

    return [
        Step("module", name, "", f"{name}\n", lambda name=name: load(name))  # type: ignore[misc]
        for name in names
        if not module_present(name)
    ]


def sysctl_path(key: str) -> str:
    """The file below /proc/sys of a sysctl key in its slash or dot form."""
    return "/proc/sys/" + (key if "/" in key else key.replace(".", "/"))


def read_sysctl(key: str) -> str | None:
    """The current value with single spaces; None when the kernel does not know the key (yet)."""
    try:
        with open(sysctl_path(key), encoding="utf-8") as stream:
            return " ".join(stream.read().split())
    except OSError:
        return None


def write_sysctl(key: str, value: str, original: str | None, record: dict[str, Any]) -> None:
    """Set a sysctl and remember its original value.

    original: the value before the first key of this call was written, because writing one key may change another
    (net.ipv4.conf.all.forwarding and net.ipv4.ip_forward are one variable); None when the key did not exist then.
    """
    found = original if original is not None else read_sysctl(key)
    if found is None:
        raise HostStateError(f"sysctl {key}: the kernel has no such key; load its module or enable its option")
    if key not in record["sysctls"]:
        record["sysctls"][key] = found
        host_record.save(record)
    try:
        with open(sysctl_path(key), "w", encoding="utf-8") as stream:
            stream.write(value)
    except OSError as error:
        raise HostStateError(f"sysctl {key}: cannot set {value}: {error.strerror}") from error


def remember_sysctls(record: dict[str, Any]) -> None:
    """Record what kubelet and kube-proxy are going to change by themselves, once."""
    recorded = {sysctl_path(key) for key in record["sysctls"]}
    found = {key: read_sysctl(key) for key in host_record.KUBERNETES_SYSCTLS if sysctl_path(key) not in recorded}
    new = {key: value for key, value in found.items() if value is not None}
    if new:
        record["sysctls"].update(new)
        host_record.save(record)


def sysctl_steps(values: dict[str, str], record: dict[str, Any]) -> list[Step]:
    """One step per sysctl whose runtime value differs."""
    steps = []
    for key, value in sorted(values.items()):
        found = read_sysctl(key)
        if found != value:
            before = "" if found is None else f"{found}\n"
            steps.append(
                Step("sysctl", key, before, f"{value}\n", lambda k=key, v=value, f=found: write_sysctl(k, v, f, record))  # type: ignore[misc]
            )
    return steps
