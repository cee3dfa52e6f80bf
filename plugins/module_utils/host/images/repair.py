"""Empty containerd's store on a host whose images a power cut has damaged, so that they can be imported anew."""

from __future__ import annotations

import os
import shutil

from ansible_collections.twinstack.core.plugins.module_utils.host import reset as host_reset
from ansible_collections.twinstack.core.plugins.module_utils.host import state as host_state
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content

STORE = "/var/lib/containerd"


def empty_store(store: str = STORE) -> None:
    """Stop kubelet and every container, remove all that containerd keeps, and start containerd again.

    Nothing of value is in there: images come from the bundle, and containers' own layers are thrown away with them by
    Kubernetes too. A damaged image cannot be removed alone while containers use its files. Kubelet stays stopped until
    the images are there again: the import starts it.
    """
    host_state.run(["systemctl", "stop", "kubelet.service"])
    host_reset.remove_cgroups({}, host_reset.find_cgroups({}))
    host_state.run(["systemctl", "stop", "containerd.service"])
    host_reset.kill_processes({}, host_reset.find_processes({}))
    host_reset.unmount({}, [name for name in host_reset.find_mounts({}) if name.startswith((store, "/run/containerd"))])
    for name in os.listdir(store):
        shutil.rmtree(os.path.join(store, name))
    for path in (image_content.RECORD, image_content.SEEN):
        if os.path.exists(path):
            os.unlink(path)
    host_state.run(["systemctl", "start", "containerd.service"])
