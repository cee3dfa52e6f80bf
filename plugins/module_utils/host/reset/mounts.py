"""Mounts of kubelet, containerd and Calico, those of the host itself, and the network namespaces of pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import tree
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt

NETNS = Path("/run/netns")
FSTAB = "/etc/fstab"
# Where kubelet, containerd and Calico mount by themselves. What is mounted elsewhere in our folders is the host's own.
MOUNT_ROOTS = (
    "/var/lib/kubelet/pods/",
    "/var/lib/kubelet/plugins/",
    "/var/lib/containerd/tmpmounts/",
    "/run/containerd/",
    "/run/calico/",
    "/run/netns/cni-",
)


@dataclass(frozen=True)
class Mount:
    """One mount. source: a device, or what the kernel names in its place."""

    point: str
    kind: str
    source: str


def _plain(word: str) -> str:
    """A path as it is, out of a table of the kernel's or of fstab, which write blanks in octal."""
    return word.encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")


def parse_mountinfo(text: str) -> list[Mount]:
    """All mounts out of /proc/self/mountinfo, in the order in which they were mounted."""
    found = []
    for line in text.splitlines():
        left, _dash, right = line.partition(" - ")
        kind, source = right.split()[:2]
        found.append(Mount(_plain(left.split()[4]), kind, _plain(source)))
    return found


def parse_declared(fstab: str, units: str) -> set[str]:
    """Mount points that an administrator has written down.

    fstab: that file's text. units: ``systemctl show --property=Where,FragmentPath`` of mount units; one without a file
    is only what systemd saw being mounted.
    """
    rows = [line.split() for line in fstab.splitlines()]
    found = {_plain(row[1]) for row in rows if len(row) > 1 and not row[0].startswith("#")}
    for block in units.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("FragmentPath"):
            found.add(values.get("Where", ""))
    return found


def is_own(mount: Mount, declared: Collection[str]) -> bool:
    """Whether kubelet, containerd or Calico has mounted it, and no administrator."""
    return mount.point.startswith(MOUNT_ROOTS) and mount.point not in declared


def own(mounts: Iterable[Mount], declared: Collection[str]) -> list[str]:
    """Own mount points, the last mounted first."""
    return [mount.point for mount in reversed(list(mounts)) if is_own(mount, declared)]


def foreign(mounts: Iterable[Mount], declared: Collection[str], folders: Sequence[str]) -> list[Mount]:
    """The host's own mounts at or below some folders; of several on one point the uppermost."""
    inside = tuple(f"{folder}/" for folder in folders)
    found = {
        mount.point: mount
        for mount in mounts
        if f"{mount.point}/".startswith(inside) and not is_own(mount, declared)
    }  # fmt: skip
    return [found[point] for point in sorted(found)]


def declared() -> set[str]:
    """Mount points of fstab and of mount units."""
    units = network.output(["systemctl", "show", "--property=Where,FragmentPath", "*.mount"])
    return parse_declared(host_probe.read(FSTAB), units)


def read() -> list[Mount]:
    """All mounts now."""
    return parse_mountinfo(host_probe.read("/proc/self/mountinfo"))


def find_foreign(folders: Sequence[str]) -> list[Mount]:
    """The host's own mounts at or below some folders, now."""
    return foreign(read(), declared(), folders)


def refusals(found: Sequence[Mount], named: Collection[str]) -> list[Reason]:
    """One reason for each mount with something on it that nobody has named. found: the host's own in our folders."""
    points = [mount.point for mount in found]
    unnamed = [mount for mount in found if mount.point not in named and tree.doomed(mount.point, points, points)]
    everything = ", ".join(f'"{point}"' for point in sorted({*named, *(mount.point for mount in unnamed)}))
    return [
        Reason(
            mount.point,
            "mount",
            f"data on {mount.source} ({mount.kind}), which the cluster did not mount",
            "nothing mounted there, or its name in reset_mounts",
            f"-e '{{\"reset_mounts\": [{everything}]}}', which empties them; or umount {mount.point}, to keep its data",
        )
        for mount in unnamed
    ]


def find_mounts(_record: Record) -> list[str]:
    """Own mount points, the last mounted first."""
    return own(read(), declared())


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
