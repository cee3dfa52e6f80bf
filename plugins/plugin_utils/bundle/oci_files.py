"""How many regular files an image's layers make when they are unpacked over each other, and their summed size.

Hosts compare with it what a power cut may have left of an image (module_utils/host/images/content.py).
"""

from __future__ import annotations

import posixpath
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Of the OCI image specification, section "Whiteouts".
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MOST_PARTS = 4096  # as many as a path can have


def count(layers: Iterable[Iterable[tarfile.TarInfo]]) -> list[int]:
    """Number and summed size in bytes of the regular files that layers, lowest first, make together."""
    found: dict[str, int] = {}
    links: dict[str, str] = {}  # symbolic links to folders may be part of later paths
    for layer in layers:
        fresh: dict[str, int] = {}
        gone: set[str] = set()  # with all that lower layers have below it
        emptied: set[str] = set()  # only what lower layers have below it
        replaced: set[str] = set()  # only itself
        for member in layer:
            path = _resolved(member.name, links)
            folder, name = posixpath.split(path)
            if name == OPAQUE:
                emptied.add(folder)
                continue
            if name.startswith(WHITEOUT):
                gone.add(posixpath.join(folder, name.removeprefix(WHITEOUT)))
                continue
            links.pop(path, None)
            fresh.pop(path, None)
            if member.isdir():
                replaced.add(path)
                continue
            gone.add(path)
            if member.issym():
                links[path] = member.linkname
            elif member.isfile():
                fresh[path] = member.size
            elif member.islnk():
                target = _resolved(member.linkname, links)
                if target in fresh or target in found:
                    fresh[path] = fresh[target] if target in fresh else found[target]
        for path in list(found):
            above = _above(path)
            if path in gone or path in replaced or not gone.isdisjoint(above) or not emptied.isdisjoint(above):
                del found[path]
        found |= fresh
    return [len(found), sum(found.values())]


def _resolved(name: str, links: Mapping[str, str]) -> str:
    """A path in an archive, without what it begins with, and with the links to folders that it goes through followed.

    The last part is not followed: it is what the entry is about. Raises ValueError when the links go round in a ring.
    """
    todo = posixpath.normpath(f"/{name}").strip("/").split("/")
    done: list[str] = []
    for _turn in range(MOST_PARTS):
        if not todo:
            return "/".join(done)
        part = todo.pop(0)
        if part == "..":
            done = done[:-1]
        elif part and part != ".":
            done.append(part)
        target = links.get("/".join(done)) if todo else None
        if target is not None:
            done = [] if target.startswith("/") else done[:-1]
            todo = [*target.split("/"), *todo]
    raise ValueError(f"{name}: found links that go round in a ring, expected a path")


def _above(path: str) -> set[str]:
    """The folders that a path is in; the root's name is empty."""
    words = path.split("/")[:-1]
    return {"/".join(words[:place]) for place in range(len(words) + 1)}


def members(packed: Path) -> Iterator[tarfile.TarInfo]:
    """What a layer compressed with zstd holds. Raises TarError when it is none, ValueError when it is cut off."""
    argv = ["zstd", "--decompress", "--stdout", "--quiet", str(packed)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        with tarfile.open(fileobj=program.stdout, mode="r|") as archive:
            yield from archive
        while program.stdout.read(1 << 20):
            pass  # else zstd ends by a broken pipe
    if program.returncode != 0:
        raise ValueError(f"{packed}: zstd ended with {program.returncode}, expected a whole layer")
