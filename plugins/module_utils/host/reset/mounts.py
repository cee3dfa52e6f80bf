"""Mounts of kubelet, containerd and Calico, and the network namespaces of pods."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt

NETNS = Path("/run/netns")
# Mounts below these (not the directories themselves: they may be an administrator's own file systems).
MOUNT_ROOTS = ("/var/lib/kubelet/", "/var/lib/containerd/", "/run/containerd/", "/run/calico/", "/run/netns/cni-")


def parse_mounts(text: str) -> list[str]:
    """Own mount points out of /proc/self/mountinfo, the last mounted first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in text.splitlines()]
    return [point for point in reversed(points) if point.startswith(MOUNT_ROOTS)]


def find_mounts(_record: Record) -> list[str]:
    """Own mount points, the last mounted first."""
    return parse_mounts(host_probe.read("/proc/self/mountinfo"))


def unmount(_record: Record, names: list[str]) -> None:
    """Unmount; what is busy is detached and goes with its last user."""
    attempt(["umount", *names])
    left = find_mounts(_record)
    if left:
        attempt(["umount", "--lazy", *left])


def find_namespaces(_record: Record) -> list[str]:
    """Names of pods' network namespaces, and their folder once it is empty."""
    names = sorted(str(path) for path in NETNS.iterdir()) if NETNS.is_dir() else []
    ours = [name for name in names if Path(name).name.startswith("cni-")]
    return ours if names or not NETNS.is_dir() else [str(NETNS)]


def remove_namespaces(_record: Record, names: list[str]) -> None:
    """Remove the names; the kernel frees a namespace, and its end of the links, with its last user."""
    for name in names:
        if Path(name) != NETNS:
            Path(name).unlink(missing_ok=True)
    if not any(NETNS.iterdir()):
        attempt(["umount", str(NETNS)])  # CNI mounts it onto itself
        with suppress(OSError):
            NETNS.rmdir()
