"""Empty containerd's store on a host whose images a power cut has damaged, so that they can be imported again."""

from __future__ import annotations

import os
import shutil

from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts, processes
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command

STORE = "/var/lib/containerd"


def empty_store(store: str = STORE) -> None:
    """Stop kubelet and every container, remove all that containerd keeps, and start containerd again.

    Nothing of value is in there: images come from the bundle, and containers' own layers are thrown away with them by
    Kubernetes too. A damaged image cannot be removed alone while containers use its files. Kubelet stays stopped until
    the images are there again: the import starts it.
    """
    host_command.run(["systemctl", "stop", "kubelet.service"])
    processes.remove_cgroups({}, processes.find_cgroups({}))
    host_command.run(["systemctl", "stop", "containerd.service"])
    processes.kill_processes({}, processes.find_processes({}))
    mounts.unmount({}, [name for name in mounts.find_mounts({}) if name.startswith((store, "/run/containerd"))])
    for name in os.listdir(store):
        shutil.rmtree(os.path.join(store, name))
    for path in (image_content.RECORD, image_content.SEEN):
        if os.path.exists(path):
            os.unlink(path)
    host_command.run(["systemctl", "start", "containerd.service"])
