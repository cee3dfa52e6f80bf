"""Files, directories, links and blocks, written once and only where they differ."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state import files
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError

from tests.unit.module_utils.host.state.samples import apply, spec


def test_a_file_is_written_once(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "a" / "b.conf"
    assert apply(spec(target, content="x\n", mode=0o600)) == [str(target)]
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("x\n", 0o600)
    assert apply(spec(target, content="x\n", mode=0o600)) == []
    assert json.loads(record_path.read_text())["files"] == {str(target): None}


@pytest.mark.parametrize("change", ["content", "mode"])
def test_a_difference_is_seen(tmp_path: Path, record_path: Path, change: str) -> None:
    target = tmp_path / "b.conf"
    apply(spec(target, content="x\n"))
    if change == "content":
        target.write_text("y\n")
    else:
        target.chmod(0o666)
    assert apply(spec(target, content="x\n")) == [str(target)]
    assert apply(spec(target, content="x\n")) == []


def test_links_directories_and_absence(tmp_path: Path, record_path: Path) -> None:
    folder, link, gone = tmp_path / "d", tmp_path / "l", tmp_path / "g"
    gone.write_text("bye")
    specs = [
        spec(folder, state="directory", mode=0o750),
        spec(link, state="link", content=str(folder)),
        spec(gone, state="absent"),
    ]
    assert apply(*specs) == [str(folder), str(link), str(gone)]
    assert folder.stat().st_mode & 0o777 == 0o750
    assert os.readlink(link) == str(folder)
    assert not gone.exists()
    assert apply(*specs) == []


def test_a_directory_in_the_way_is_refused(tmp_path: Path, record_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(HostStateError, match="found a directory, expected a file"):
        apply(spec(tmp_path / "x", content="x"))


def test_a_block_leaves_the_rest_alone(tmp_path: Path, record_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    hosts.chmod(0o640)
    apply(spec(hosts, block="cluster", content="10.0.0.1 a"))
    apply(spec(hosts, block="cluster", content="10.0.0.1 b\nfd00::1 b"))
    assert hosts.read_text() == (
        "127.0.0.1 localhost\n# BEGIN twinstack cluster\n10.0.0.1 b\nfd00::1 b\n# END twinstack cluster\n"
    )
    assert hosts.stat().st_mode & 0o777 == 0o640


def test_an_empty_block_goes_away() -> None:
    text = files.with_block("a\n", "n", "b")
    assert files.with_block(text, "n", "") == "a\n"


def test_a_secret_is_in_no_diff(tmp_path: Path, record_path: Path) -> None:
    steps = files.file_steps([spec(tmp_path / "s", content="canary", secret=True)], host_record.load())
    assert "canary" not in steps[0].before + steps[0].after
