"""Files that are not there are empty."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.module_utils.host.probe.files import read


def test_files_are_read_whatever_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\xff\n")
    assert read(str(tmp_path / "file")) == "a\ufffd\n"
    assert read(str(tmp_path / "none")) == read(str(tmp_path)) == ""
