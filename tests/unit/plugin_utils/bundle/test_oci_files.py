"""What layers make together, by real archives and a real zstd."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import oci_files

FOLDER, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def layer(*entries: tuple[str, int | bytes]) -> bytes:
    """A tar: files by their size, other entries by their type; a hard link's target is ``a``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            if isinstance(what, int):
                info.size = what
                tar.addfile(info, io.BytesIO(b"x" * what))
            else:
                info.type, info.linkname = what, "a" if what == HARD else "usr/bin"
                tar.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], [0, 0]),
        ([layer(("./", FOLDER), ("./a", 3), ("b/c", 4))], [2, 7]),
        ([layer(("a", 3)), layer(("./a", 5))], [1, 5]),
        ([layer(("a", 3), ("b", 1)), layer((".wh.a", 0))], [1, 1]),
        ([layer(("d/a", 3), ("d/e/b", 1), ("da", 1)), layer(("d/.wh.e", 0))], [2, 4]),
        ([layer(("d/a", 3), ("da", 1)), layer((".wh.d", 0))], [1, 1]),
        ([layer(("d/a", 3), ("b", 1)), layer(("d/c", 2), ("d/.wh..wh..opq", 0))], [2, 3]),
        ([layer(("a", 3), ("b", 1)), layer((".wh..wh..opq", 0), ("c", 2))], [1, 2]),
        ([layer(("a", 3)), layer(("a", LINK))], [0, 0]),
        ([layer(("d/a", 3)), layer(("d", LINK))], [0, 0]),
        ([layer(("a", 3)), layer(("a", FOLDER), ("a/b", 1))], [1, 1]),
        ([layer(("a", 3)), layer(("d", FOLDER), ("d/b", HARD))], [2, 6]),
        ([layer(("a", 3)), layer(("a", 4), ("b", HARD))], [2, 8]),
        ([layer(("a", LINK), ("b", HARD))], [0, 0]),
        ([layer(("a", 3), ("a", LINK))], [0, 0]),
        ([layer(("bin", LINK), ("usr/bin/x", 3)), layer(("bin/x", 4), ("bin/y", 1))], [2, 5]),
        ([layer(("bin", LINK), ("usr/bin/x", 3)), layer(("bin/.wh.x", 0))], [0, 0]),
        ([layer(("bin", LINK), ("usr/bin/x", 3)), layer(("bin", FOLDER), ("bin/x", 4))], [2, 7]),
    ],
)
def test_files_of_layers_over_each_other_are_counted(tmp_path: Path, layers: list[bytes], expected: list[int]) -> None:
    packed = []
    for place, content in enumerate(layers):
        path = tmp_path / f"{place}.zst"
        argv = ["zstd", "--quiet", "-o", str(path)]
        subprocess.run(argv, input=content, check=True)
        packed.append(path)
    assert oci_files.count(map(oci_files.members, packed)) == expected


def test_links_that_go_round_are_refused(tmp_path: Path) -> None:
    first, second = tarfile.TarInfo("a"), tarfile.TarInfo("b")
    first.type = second.type = LINK
    first.linkname, second.linkname = "b", "a"
    with pytest.raises(ValueError, match="ring"):
        oci_files.count([[first, second, tarfile.TarInfo("a/x")]])


def test_a_layer_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = layer(*((f"{number}", 70000) for number in range(9)))
    packed = subprocess.run(["zstd", "--quiet", "-1"], input=whole, capture_output=True, check=True).stdout
    for end in range(12, len(packed), 3):
        (tmp_path / "layer").write_bytes(packed[:end])
        with pytest.raises((ValueError, tarfile.TarError)):
            oci_files.count([oci_files.members(tmp_path / "layer")])


def test_a_layer_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"no archive")
    with pytest.raises(tarfile.TarError):
        oci_files.count([oci_files.members(tmp_path / "layer")])
