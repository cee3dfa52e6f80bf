"""Settings of the whole host that the install changed: sysctls, kernel modules, swap."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt
from ansible_collections.twinstack.core.plugins.module_utils.host.state import kernel as state_kernel
from ansible_collections.twinstack.core.plugins.module_utils.host.state import swap as state_swap


def wanted_sysctls(record: Record) -> dict[str, str]:
    """Runtime values to go back to: recorded originals, else defaults where Kubernetes' own value stands."""
    recorded = {key if "/" in key else key.replace(".", "/"): value for key, value in record["sysctls"].items()}
    wanted = dict(recorded)
    for key, (set_by_kubernetes, default) in host_record.KUBERNETES_SYSCTLS.items():
        if default is not None and key not in recorded and state_kernel.read_sysctl(key) == set_by_kubernetes:
            wanted[key] = default
    return wanted


def find_sysctls(record: Record) -> list[str]:
    """Keys that the kernel knows and whose value is not the original one; switches that reset others come first."""
    found = []
    for key, value in wanted_sysctls(record).items():
        current = state_kernel.read_sysctl(key)
        if current is not None and current != value:
            found.append(key)
    # net.ipv4.ip_forward and conf.all.forwarding set all other forwarding values when written.
    return sorted(found, key=lambda key: (not key.endswith(("ip_forward", "conf/all/forwarding")), key))


def restore_sysctls(record: Record, names: list[str]) -> None:
    """Write the original values."""
    wanted = wanted_sysctls(record)
    for key in names:
        with suppress(OSError):
            Path(state_kernel.sysctl_path(key)).write_text(wanted[key], encoding="ascii")


def find_modules(record: Record) -> list[str]:
    """Kernel modules that we had loaded."""
    loaded = {line.split()[0] for line in host_probe.read("/proc/modules").splitlines()}
    return [name for name in record["modules"] if name.replace("-", "_") in loaded]


def unload_modules(_record: Record, names: list[str]) -> None:
    """Unload modules; one that something else uses stays."""
    for name in names:
        attempt(["modprobe", "--remove", name])


def find_swap(record: Record) -> list[str]:
    """Swap that we had turned off and that still exists."""
    active = state_swap.active_swaps()
    return [name for name in record["swap"] if name not in active and Path(name).exists()]


def turn_on_swap(_record: Record, names: list[str]) -> None:
    """Turn swap on again."""
    for name in names:
        attempt(["swapon", name])
