"""Repair of the image store, with the host's commands written down instead of run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import repair
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts, processes
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command


def test_the_store_is_emptied_between_stop_and_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    store = tmp_path / "containerd"
    (store / "blobs").mkdir(parents=True)
    record = tmp_path / "unpacked.json"
    record.write_text("{}", encoding="utf-8")

    def run(argv: list[str]) -> str:
        done.append(f"{argv[1]} {argv[2].split('.')[0]}, {len(list(store.iterdir()))} folders")
        return ""

    monkeypatch.setattr(host_command, "run", run)
    monkeypatch.setattr(processes, "find_cgroups", lambda _record: [])
    monkeypatch.setattr(processes, "find_processes", lambda _record: [])
    monkeypatch.setattr(mounts, "find_mounts", lambda _record: [f"{store}/a", "/var/lib/kubelet/b"])
    monkeypatch.setattr(mounts, "unmount", lambda _record, names: done.append(f"unmount {names}"))
    monkeypatch.setattr(image_content, "RECORD", str(record))
    monkeypatch.setattr(image_content, "SEEN", str(tmp_path / "none.json"))
    repair.empty_store(str(store))
    assert done == [
        "stop kubelet, 1 folders",
        "stop containerd, 1 folders",
        f"unmount ['{store}/a']",
        "start containerd, 0 folders",
    ]
    assert not record.exists()
