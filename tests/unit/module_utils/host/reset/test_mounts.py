"""Mounts of a cluster and of its host, in sample texts."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.mounts import Mount

LINES = [
    "22 1 0:1 / / rw shared:1 - ext4 /dev/vda rw",
    "30 22 0:2 / /var/lib/containerd rw - ext4 /dev/vdb rw",
    r"31 22 0:3 / /var/lib/kubelet/pods/a/volumes/x\040y rw - tmpfs tmpfs rw",
    "32 22 0:4 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs rw - overlay overlay rw",
    "33 22 0:5 net:[1] /run/netns/cni-1 rw - nsfs nsfs rw",
    "34 22 0:5 net:[2] /run/netns/other rw - nsfs nsfs rw",
    r"35 22 0:6 / /var/lib/kubelet/pods/disk rw - ext4 /dev/vd\040c rw",
    "36 22 0:7 / /var/lib/etcd-backup rw - ext4 /dev/vdd rw",
    "37 22 0:8 / /var/lib/etcd rw - ext4 /dev/vde rw",
    "38 22 0:8 / /var/lib/etcd rw - xfs /dev/vdf rw",
]
READ = mounts.parse_mountinfo("\n".join(LINES))
FSTAB = "# /dev/vdx /var/lib/kubelet/pods/no ext4\nUUID=1 /var/lib/kubelet/pods/disk ext4 defaults 0 2\n\nbroken\n"
UNITS = (
    "Where=/var/lib/kubelet/plugins/ours\nFragmentPath=\n\n"
    "Where=/var/lib/kubelet/plugins/theirs\nFragmentPath=/etc/systemd/system/x.mount\n"
)
FOLDERS = ["/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet"]


def test_mounts_come_last_first_and_an_own_file_system_of_the_host_stays() -> None:
    assert mounts.own(READ, mounts.parse_declared(FSTAB, UNITS)) == [
        "/run/netns/cni-1",
        "/run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs",
        "/var/lib/kubelet/pods/a/volumes/x y",
    ]


def test_what_an_administrator_has_written_down_is_the_hosts() -> None:
    found = mounts.parse_declared(FSTAB, UNITS)
    assert found == {"/var/lib/kubelet/pods/disk", "/var/lib/kubelet/plugins/theirs"}


def test_mounts_of_the_host_in_our_folders() -> None:
    """H6: and not those beside them. Of two on one point the upper one is seen."""
    assert mounts.foreign(READ, mounts.parse_declared(FSTAB, UNITS), FOLDERS) == [
        Mount("/var/lib/containerd", "ext4", "/dev/vdb"),
        Mount("/var/lib/etcd", "xfs", "/dev/vdf"),
        Mount("/var/lib/kubelet/pods/disk", "ext4", "/dev/vd c"),
    ]
    assert [mount.point for mount in mounts.foreign(READ, (), ["/var/lib/kubelet"])] == []


def test_data_that_nobody_named_is_refused_with_mount_point_and_device(tmp_path: Path) -> None:
    full, named, empty = (str(tmp_path / name) for name in ("full", "named", "empty"))
    for name in ("full/data", "full/lost+found/x", "named/data", "empty/lost+found/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [Mount(point, "ext4", "/dev/vdb") for point in (empty, full, named)]
    (reason,) = mounts.refusals(found, [named])
    assert reason.line().startswith(f"{full}: mount: found data on /dev/vdb (ext4)")
    assert f'["{full}", "{named}"]' in reason.hint, "the next command has to name both"
    assert mounts.refusals(found, [named, full]) == []
