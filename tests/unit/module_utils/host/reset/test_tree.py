"""Folders are emptied around mount points."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import tree


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with data, in which something is mounted two levels down."""
    for name in (
        "mine/file",
        "way/disk/data",
        "way/disk/lost+found/piece",
        "way/other/lost+found/file",
        "lost+found/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "way" / "link").symlink_to("disk")
    return str(tmp_path)


def left(folder: str) -> list[str]:
    """Files and links that are there still."""
    return sorted(
        os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names
    )


def test_a_folder_without_mounts_goes_as_a_whole(folder: str) -> None:
    assert tree.doomed(folder) == [folder]
    tree.remove(folder)
    assert not Path(folder).exists()


def test_what_is_mounted_and_not_named_is_not_entered(folder: str) -> None:
    disk = f"{folder}/way/disk"
    tree.remove(folder, [disk])
    assert left(folder) == ["way/disk/data", "way/disk/lost+found/piece"]
    assert tree.doomed(folder, [disk]) == [], "an empty way to a mount point is nothing to remove"
    assert tree.doomed(disk, [disk]) == []


def test_what_is_named_is_emptied_and_stays(folder: str) -> None:
    disk = f"{folder}/way/disk"
    tree.remove(folder, [disk], [disk])
    assert left(folder) == ["way/disk/lost+found/piece"]
    tree.remove(disk, [disk], [disk])
    assert tree.doomed(folder, [disk], [disk]) == []


def test_a_folder_that_is_a_mount_point_itself(folder: str) -> None:
    points = [folder, f"{folder}/way/disk"]
    assert tree.doomed(folder, points) == []
    tree.remove(folder, points, [folder])
    assert left(folder) == ["lost+found/x", "way/disk/data", "way/disk/lost+found/piece"]
