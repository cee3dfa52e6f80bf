"""How many regular files an image's layers make when they are unpacked over each other, and their summed size.

Hosts compare with it what a power cut may have left of an image (module_utils/image_content.py).
"""

from __future__ import annotations

import posixpath
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

# Of the OCI image specification, section "Whiteouts".
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def count(layers: Iterable[Iterable[tarfile.TarInfo]]) -> list[int]:
    """Number and summed size in bytes of the regular files that layers, lowest first, make together."""
    found: dict[str, int] = {}
    for layer in layers:
        fresh: dict[str, int] = {}
        gone: set[str] = set()  # with all that lower layers have below it
        emptied: set[str] = set()  # only what lower layers have below it
        replaced: set[str] = set()  # only itself
        for member in layer:
            path = _clean(member.name)
            folder, name = posixpath.split(path)
            if name == OPAQUE:
                emptied.add(folder)
            elif name.startswith(WHITEOUT):
                gone.add(posixpath.join(folder, name.removeprefix(WHITEOUT)))
            elif member.isdir():
                replaced.add(path)
            else:
                gone.add(path)
                if member.isfile():
                    fresh[path] = member.size
                elif member.islnk():
                    target = _clean(member.linkname)
                    fresh[path] = fresh[target] if target in fresh else found.get(target, 0)
        for path in list(found):
            above = _above(path)
            if path in gone or path in replaced or not gone.isdisjoint(above) or not emptied.isdisjoint(above):
                del found[path]
        found |= fresh
    return [len(found), sum(found.values())]


def _clean(name: str) -> str:
    """A path in an archive, without what it begins with."""
    return posixpath.normpath(f"/{name}").lstrip("/")


def _above(path: str) -> set[str]:
    """The folders that a path is in; the root's name is empty."""
    words = path.split("/")[:-1]
    return {"/".join(words[:place]) for place in range(len(words) + 1)}


def members(packed: Path) -> Iterator[tarfile.TarInfo]:
    """What a layer compressed with zstd holds. Raises tarfile.TarError when it is none."""
    with (
        subprocess.Popen(["zstd", "--decompress", "--stdout", "--quiet", packed], stdout=subprocess.PIPE) as program,
        tarfile.open(fileobj=program.stdout, mode="r|") as archive,
    ):
        yield from archive
