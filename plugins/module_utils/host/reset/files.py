"""Directories of a cluster, files that the install changed, the store of artifacts, and the host's record."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts, tree
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt
from ansible_collections.twinstack.core.plugins.module_utils.host.state import files as state_files

STORE = "/opt/twinstack"
# Kubernetes' default directories, containerd's, and the host paths of Calico's manifests.
DIRECTORIES = (
    "/etc/cni",
    "/etc/containerd",
    "/etc/kubernetes",
    "/opt/cni",
    "/opt/containerd",
    "/run/calico",
    "/run/containerd",
    "/run/istio-cni",
    "/run/kubernetes",
    "/run/nodeagent",
    "/run/nri",
    "/run/twinstack",
    "/usr/libexec/kubernetes",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/twinstack",
    "/var/log/calico",
    "/var/log/containers",
    "/var/log/kubernetes",
    "/var/log/pods",
)
FSTAB_MARK = "# twinstack: "


def folders() -> tuple[str, ...]:
    """All that a reset removes with everything in it."""
    return (*DIRECTORIES, STORE, str(Path(host_record.RECORD_PATH).parent))


def _left(name: str, named: Sequence[str]) -> bool:
    """Whether something of a folder is to go."""
    path = Path(name)
    if path.is_symlink() or not path.is_dir():
        return False
    points = [mount.point for mount in mounts.find_foreign([name])]
    return bool(tree.doomed(name, points, named))


def _remove(name: str, named: Sequence[str]) -> None:
    """Remove a folder; what the host itself has mounted in it stays, but for the content of what is named."""
    tree.remove(name, [mount.point for mount in mounts.find_foreign([name])], named)


def find_directories(_record: Record, named: Sequence[str] = ()) -> list[str]:
    """Own directories; one in which the host itself has mounted something counts only while something is to go."""
    return [name for name in DIRECTORIES if _left(name, named)]


def remove_directories(_record: Record, names: list[str], named: Sequence[str] = ()) -> None:
    """Remove directories. Nothing of ours is mounted below them any more. named: mount points that are emptied."""
    for name in names:
        _remove(name, named)


def without_our_lines(text: str) -> str:
    """A text without our marked blocks, and with the lines back that we had commented out."""
    lines = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.startswith("# BEGIN twinstack "):
            inside = True
        elif line.startswith("# END twinstack "):
            inside = False
        elif not inside:
            lines.append(line[len(FSTAB_MARK) :] if line.startswith(FSTAB_MARK) else line)
    return "".join(lines)


def original_text(current: str, original: str) -> str:
    """What a file that we had changed goes back to.

    Where only our marked lines were added, those go and other people's later edits stay; else the original returns.
    """
    cleaned = without_our_lines(current)
    return original if cleaned == current or cleaned.rstrip() == original.rstrip() else cleaned


def decoded(original: str) -> str:
    """A recorded file's text."""
    return base64.b64decode(original).decode("utf-8", "surrogateescape")


def find_files(record: Record) -> list[str]:
    """Recorded paths that are not as they were, the deepest first."""
    found: list[str] = []
    for path in sorted(record["files"], key=lambda path: (-path.count("/"), path)):
        original = record["files"][path]
        state, content = state_files.read_state(path)[:2]
        if original is None:
            # A directory with other people's files in it stays.
            others = state == "directory" and any(str(item) not in found for item in Path(path).iterdir())
            if state != "absent" and not others:
                found.append(path)
        elif state != "file" or content != original_text(content, decoded(original)):
            found.append(path)
    return found


def restore_file(name: str, original: str | None) -> None:
    """Put one file back or remove it; an emptied drop-in directory of a unit goes too."""
    path = Path(name)
    if original is not None:
        state, content, mode, _, _ = state_files.read_state(name)
        text = original_text(content, decoded(original)) if state == "file" else decoded(original)
        staged = path.with_name(path.name + ".twinstack-new")
        staged.write_bytes(text.encode("utf-8", "surrogateescape"))
        staged.chmod(mode if state == "file" else 0o644)
        staged.replace(path)
        return
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
    if path.parent.suffix == ".d" and path.parent.parent == Path("/etc/systemd/system"):
        with suppress(OSError):
            path.parent.rmdir()


def restore_files(record: Record, names: list[str]) -> None:
    """Put files back and forget them: a second look must not undo edits that were made since our first change."""
    for name in names:
        restore_file(name, record["files"][name])
        del record["files"][name]
        if Path(host_record.RECORD_PATH).exists():
            host_record.save(record)
    if any(name.startswith("/etc/systemd/") for name in names):
        attempt(["systemctl", "daemon-reload"])


def find_store(_record: Record, named: Sequence[str] = ()) -> list[str]:
    """The store of artifacts, and links into it."""
    links = [path for path in Path("/usr/local/bin").glob("*") if path.is_symlink()]
    found = [str(path) for path in links if os.readlink(path).startswith(f"{STORE}/")]
    return [*sorted(found), *([STORE] if _left(STORE, named) else [])]


def remove_store(_record: Record, names: list[str], named: Sequence[str] = ()) -> None:
    """Remove the links and the store."""
    for name in names:
        if Path(name).is_symlink():
            Path(name).unlink()
        else:
            _remove(name, named)


def find_record(_record: Record, named: Sequence[str] = ()) -> list[str]:
    """The directory of the record."""
    folder = str(Path(host_record.RECORD_PATH).parent)
    return [folder] if _left(folder, named) else []


def remove_record(_record: Record, names: list[str], named: Sequence[str] = ()) -> None:
    """Remove the record: the reset is complete."""
    for name in names:
        _remove(name, named)
