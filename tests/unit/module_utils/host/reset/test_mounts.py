"""Mounts of a cluster, in a sample text."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts


def test_mounts_come_last_first_and_an_own_file_system_of_the_host_stays() -> None:
    lines = [
        "22 1 0:1 / / rw - ext4 /dev/vda rw",
        "30 22 0:2 / /var/lib/containerd rw - ext4 /dev/vdb rw",
        r"31 22 0:3 / /var/lib/kubelet/pods/a/volumes/x\040y rw - tmpfs tmpfs rw",
        "32 22 0:4 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs rw - overlay overlay rw",
        "33 22 0:5 net:[1] /run/netns/cni-1 rw - nsfs nsfs rw",
        "34 22 0:5 net:[2] /run/netns/other rw - nsfs nsfs rw",
    ]
    assert mounts.parse_mounts("\n".join(lines)) == [
        "/run/netns/cni-1",
        "/run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs",
        "/var/lib/kubelet/pods/a/volumes/x y",
    ]
