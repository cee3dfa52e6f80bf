"""Folders emptied around the file systems that are mounted in them. A mount point stays, and so does the way to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator

LOST_AND_FOUND = "lost+found"  # a file system's own


def _doomed(folder: str, points: Collection[str], named: Collection[str]) -> Iterator[str]:
    """Paths in a folder that are to go as a whole: around mount points, and in those that are named."""
    with os.scandir(folder) as items:
        names = sorted(item.name for item in items)
    for name in names:
        path = os.path.join(folder, name)
        if path in points:
            if path in named:
                yield from _doomed(path, points, named)
        elif any(point.startswith(path + "/") for point in points):
            yield from _doomed(path, points, named)
        elif not (folder in points and name == LOST_AND_FOUND):
            yield path


def doomed(path: str, points: Collection[str] = (), named: Collection[str] = ()) -> list[str]:
    """What is to go of a folder that exists: itself, or what is in it where something is mounted at or below it.

    points: mount points that are not ours. named: those of them whose content goes too.
    """
    if path in points:
        return list(_doomed(path, points, named)) if path in named else []
    if any(point.startswith(path + "/") for point in points):
        return list(_doomed(path, points, named))
    return [path]


def remove(path: str, points: Collection[str] = (), named: Collection[str] = ()) -> None:
    """Remove what ``doomed`` says."""
    for item in doomed(path, points, named):
        if os.path.isdir(item) and not os.path.islink(item):
            shutil.rmtree(item)
        else:
            os.unlink(item)
