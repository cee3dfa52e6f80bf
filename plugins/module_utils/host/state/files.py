"""Files, directories, links, and blocks of lines in files of others."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import shutil
import stat
from collections.abc import Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import FileSpec, Step

BLOCK_BEGIN = "# BEGIN twinstack {name}"
BLOCK_END = "# END twinstack {name}"


def with_block(text: str, name: str, content: str) -> str:
    """The text with our block of that name replaced, appended, or (content empty) removed."""
    begin, end = BLOCK_BEGIN.format(name=name), BLOCK_END.format(name=name)
    lines = text.splitlines()
    if begin in lines and end in lines:
        first, last = lines.index(begin), lines.index(end)
        before, after = lines[:first], lines[last + 1 :]
    else:
        before, after = lines, []
    block = [begin, *content.splitlines(), end] if content else []
    return "".join(line + "\n" for line in [*before, *block, *after])


def read_state(path: str) -> tuple[str, str, int, int, int]:
    """What is at a path now: (state, content, mode, uid, gid); absent paths give ("absent", "", 0, 0, 0)."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ("absent", "", 0, 0, 0)
    if stat.S_ISLNK(found.st_mode):
        return ("link", os.readlink(path), 0, 0, 0)
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return ("directory", "", mode, found.st_uid, found.st_gid)
    with open(path, "rb") as stream:
        content = stream.read().decode("utf-8", "surrogateescape")
    return ("file", content, mode, found.st_uid, found.st_gid)


def write_file(spec: FileSpec, content: str, uid: int, gid: int) -> None:
    """Bring one path to the desired state; regular files are replaced atomically."""
    state = read_state(spec.path)[0]
    if spec.state == "absent":
        if state == "directory":
            shutil.rmtree(spec.path)
        elif state != "absent":
            os.unlink(spec.path)
        return
    os.makedirs(os.path.dirname(spec.path), exist_ok=True)
    if spec.state == "directory":
        if state not in ("directory", "absent"):
            raise HostStateError(f"{spec.path}: found a {state}, expected a directory; move it away")
        os.makedirs(spec.path, exist_ok=True)
        os.chown(spec.path, uid, gid)
        os.chmod(spec.path, spec.mode)
        return
    if state == "directory":
        raise HostStateError(f"{spec.path}: found a directory, expected a {spec.state}; move it away")
    staged = f"{spec.path}.twinstack-new"
    if os.path.lexists(staged):
        os.unlink(staged)
    if spec.state == "link":
        os.symlink(content, staged)
    else:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode("utf-8", "surrogateescape"))
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), spec.mode)
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(staged, spec.path)


def remember_file(path: str, state: str, content: str, record: dict[str, Any]) -> None:
    """Keep what was at a path before our first change; null when nothing was."""
    if path in record["files"]:
        return
    original = base64.b64encode(content.encode("utf-8", "surrogateescape")).decode() if state == "file" else None
    record["files"][path] = original
    host_record.save(record)


def file_steps(specs: Sequence[FileSpec], record: dict[str, Any]) -> list[Step]:
    """One step per path that differs in kind, content, mode or owner."""
    steps = []
    for spec in specs:
        state, content, mode, uid, gid = read_state(spec.path)
        wanted = with_block(content, spec.block, spec.content) if spec.block else spec.content
        want_uid, want_gid = pwd.getpwnam(spec.owner).pw_uid, grp.getgrnam(spec.group).gr_gid
        if spec.block and state == "file":
            want_mode, want_uid, want_gid = mode, uid, gid  # the rest of the file is not ours
        else:
            want_mode = spec.mode
        same = state == spec.state
        if same and spec.state in ("file", "link"):
            same = content == wanted
        if same and spec.state in ("file", "directory"):
            same = (mode, uid, gid) == (want_mode, want_uid, want_gid)
        if same:
            continue
        chosen = FileSpec(**{**spec.__dict__, "mode": want_mode})

        def apply(
            spec: FileSpec = chosen,
            state: str = state,
            content: str = content,
            wanted: str = wanted,
            ids: tuple[int, int] = (want_uid, want_gid),
        ) -> None:
            remember_file(spec.path, state, content, record)
            write_file(spec, wanted, *ids)

        before = "" if state == "absent" else f"{state} {mode:04o}\n{'' if spec.secret else content}"
        after = "" if spec.state == "absent" else f"{spec.state} {want_mode:04o}\n{'' if spec.secret else wanted}"
        steps.append(Step("file", spec.path, before, after, apply))
    return steps
