"""Replace damaged images of a host one by one, so that an import brings them again; empty the store only when told to.

An import skips what containerd lists: a blob whose file is damaged, and a layer that is unpacked. Both have to go
first. A blob goes with ``ctr content rm``, its file with the garbage collection that ``ctr images rm --sync`` waits
for: a file that stays would be taken over as it is. An unpacked layer goes only after those upon it, which are the
writable layers of containers too. So the containers of a damaged image are removed, running ones after they are
killed, and kubelet starts them anew; containerd's CRI plugin forgets a container that is gone (``RemoveContainer`` in
its ``container_remove.go``). Layers that another image needs stay. A running sandbox is the whole pod's and ends with
its network only through kubelet, so it is not touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images.content import CTR, Damage
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts, processes, tree
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command

STORE = "/var/lib/containerd"
RECREATE = "ansible-playbook -i INVENTORY playbooks/cluster/nodes.yml -e containerd_recreate_store=true"
LABEL = "io.kubernetes."  # kubelet's labels of containers


@dataclass(frozen=True)
class Snapshot:
    """An unpacked layer (Committed), a container's writable one (Active) or a mounted view (View)."""

    key: str
    parent: str
    kind: str


@dataclass(frozen=True)
class Container:
    """A container in containerd. name: ``namespace/pod container`` for people, or its id when kubelet knows it not."""

    key: str
    name: str
    running: bool = False
    sandbox: bool = False


@dataclass
class Plan:
    """What has to go for damaged images to be imported again, and why some cannot be replaced one by one.

    views: left over by looks that were cut off. snapshots: in the order of removal. reasons: by the image's name.
    """

    images: list[str] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def restarted(self) -> list[str]:
        """Names of the running containers that kubelet has to start anew."""
        return sorted(container.name for container in self.containers if container.running)


def parse_snapshots(text: str) -> list[Snapshot]:
    """Rows of ``ctr snapshots ls``, by the places of their columns: a key may hold a blank, and a parent be absent."""
    head, *rows = text.splitlines() or [""]
    if not head.startswith("KEY"):
        return []
    parent, kind = head.index("PARENT"), head.index("KIND")
    return [Snapshot(row[:parent].strip(), row[parent:kind].strip(), row[kind:].strip()) for row in rows if row.strip()]


def parse_container(text: str, running: Iterable[str]) -> Container:
    """What ``ctr containers info`` says. running: ids of all containers that run."""
    data = json.loads(text)
    labels = data.get("Labels") or {}
    pod = "/".join(labels.get(f"{LABEL}pod.{name}", "") for name in ("namespace", "name")).strip("/")
    sandbox = labels.get("io.cri-containerd.kind") == "sandbox"
    name = pod if sandbox else f"{pod} {labels.get(f'{LABEL}container.name', '')}".strip()
    return Container(data["ID"], name or data["ID"], data["ID"] in set(running), sandbox)


def parse_running(text: str) -> list[str]:
    """Ids of the containers whose task runs, out of ``ctr tasks ls``."""
    rows = [row.split() for row in text.splitlines()[1:]]
    return [row[0] for row in rows if len(row) == 3 and row[2] not in ("STOPPED", "UNKNOWN")]


def plan(
    damage: Mapping[str, Damage],
    chains: Mapping[str, Sequence[str]],
    tree: Sequence[Snapshot],
    container: Callable[[str], Container | None],
) -> Plan:
    """What to remove. Pure.

    damage: of each damaged image. chains: keys of the unpacked layers of every image of the bundle that is there, the
    lowest first. tree: all of containerd's snapshots. container: the one that has this snapshot, if any.
    """
    result = Plan(images=sorted(damage))
    result.blobs = sorted({blob for one in damage.values() for blob in one.blobs})
    bad = {name for name, one in damage.items() if one.files}
    needed = {key: name for name, keys in chains.items() if name not in bad for key in keys}
    doomed = {key for name in bad for key in chains.get(name, ()) if key not in needed}
    children: dict[str, set[str]] = {}
    for snapshot in tree:
        children.setdefault(snapshot.parent, set()).add(snapshot.key)
    there = {snapshot.key: snapshot for snapshot in tree}
    gone: set[str] = set()
    foreign: dict[str, str] = {}
    tops = {chains[name][-1]: name for name in bad if chains.get(name)}
    for key in sorted(key for top in tops for key in children.get(top, ()) if there[key].kind != "Committed"):
        user = container(key)
        if os.path.basename(key).startswith(image_content.MOUNTED):
            result.views.append(key)
        elif user is None:
            continue
        elif user.sandbox and user.running:
            foreign[key] = f"the sandbox of pod {user.name}, which runs"
            continue
        else:
            result.containers.append(user)
        gone.add(key)
    while ready := sorted(key for key in doomed - gone if key in there and children.get(key, set()) <= gone):
        result.snapshots += ready
        gone |= set(ready)
    for top, name in sorted(tops.items(), key=lambda item: item[1]):
        if top in needed:
            result.reasons[name] = f"damage, and its unpacked layers are those of {needed[top]} too"
        elif top in there and top not in gone:
            left = sorted(children[top] - gone)
            result.reasons[name] = (
                f"damage, and upon it stands {', '.join(foreign.get(key, f'snapshot {key}') for key in left)}"
            )
    return result


def _ctr(*arguments: str) -> str:
    """Output of ctr in Kubernetes' namespace; HostStateError with its last words when it fails."""
    return host_command.run([CTR, "--namespace", "k8s.io", *arguments])


def look(damage: Mapping[str, Damage], images: Mapping[str, str]) -> Plan:
    """The plan by what containerd holds now. images: digest by name of every image of the bundle that is there."""
    chains = {name: image_content.chain(digest) for name, digest in images.items()}
    running = parse_running(_ctr("tasks", "ls"))

    def container(key: str) -> Container | None:
        try:
            return parse_container(_ctr("containers", "info", key), running)
        except host_command.HostStateError:
            return None

    return plan(damage, chains, parse_snapshots(_ctr("snapshots", "ls")), container)


def foreign_images(offered: Iterable[str]) -> list[str]:
    """Names of images in the store that are not of the bundle; names that containerd itself gives do not count."""
    names = set(_ctr("images", "ls", "--quiet").split()) - set(offered)
    return sorted(name for name in names if not name.startswith("sha256:"))


def refused(
    unmountable: Mapping[str, str], reasons: Mapping[str, str], foreign: Sequence[str], again: bool = False
) -> list[Reason]:
    """Why images are not brought: each with its reason and the next command.

    unmountable: ctr's words by image. reasons: these and those that cannot be replaced alone. foreign: images that are
    lost where the store is recreated. again: another run may mend what is damaged.
    """
    last = f"{RECREATE}, which empties containerd's store on this host"
    if foreign:
        last += f" and loses {', '.join(foreign)} (save them: ctr --namespace k8s.io images export FILE NAME)"
    mounted = f"mend what ctr names, then run the same command again; if it cannot be mended: {last}"
    damaged = f"the same command again; if it finds that again: {last}" if again else last
    mount, content = "ctr images mount succeeds", "an image that can be replaced alone"
    found = [Reason(f"image {name}", "mount", words, mount, mounted) for name, words in unmountable.items()]
    rest = {name: words for name, words in reasons.items() if name not in unmountable}
    return found + [Reason(f"image {name}", "content", words, content, damaged) for name, words in rest.items()]


def remove(doomed: Plan, content: str = image_content.CONTENT) -> None:
    """Stop kubelet, so that it starts nothing out of half an image, and remove what the plan says, and nothing else.

    Kubelet stays stopped until the images are there again: their import starts it. Raises HostStateError, also when a
    damaged blob stays, because another namespace of containerd holds it too.
    """
    host_command.run(["systemctl", "stop", "kubelet.service"])
    for view in doomed.views:
        _ctr("images", "unmount", "--rm", view)
    for container in doomed.containers:
        if container.running:
            _ctr("tasks", "rm", "--force", container.key)
        _ctr("containers", "rm", container.key)
    for key in doomed.snapshots:
        _ctr("snapshots", "rm", key)
    for blob in doomed.blobs:
        _ctr("content", "rm", blob)
    _ctr("images", "rm", "--sync", *doomed.images)
    left = [blob for blob in doomed.blobs if os.path.exists(os.path.join(content, blob.split(":", 1)[1]))]
    if left:
        raise host_command.HostStateError(
            f"{', '.join(left)}: found still in {content} after ctr content rm; expected no such file. "
            "Try: ctr namespaces ls, and ctr --namespace NAME content rm for the one that holds it"
        )


def empty_store(store: str = STORE) -> None:
    """Stop kubelet and every container, remove all that containerd keeps, and start containerd again.

    Images that others loaded are lost, and all pods of the host start anew: it is done only when a variable says so.
    What is mounted from elsewhere stays with its mount point. Kubelet stays stopped until the images are there again:
    the import starts it.
    """
    host_command.run(["systemctl", "stop", "kubelet.service"])
    processes.remove_cgroups({}, processes.find_cgroups({}))
    host_command.run(["systemctl", "stop", "containerd.service"])
    processes.kill_processes({}, processes.find_processes({}))
    mounts.unmount({}, [name for name in mounts.find_mounts({}) if name.startswith((store, "/run/containerd"))])
    points = {store, *(mount.point for mount in mounts.find_foreign([store]))}
    tree.remove(store, points, points)
    for path in (image_content.RECORD, image_content.SEEN):
        if os.path.exists(path):
            os.unlink(path)
    host_command.run(["systemctl", "start", "containerd.service"])
