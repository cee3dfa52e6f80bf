"""The bundle's cache with real files: what is kept, and what is found damaged."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store, key_of, sha256_of

from tests.unit.plugin_utils.bundle.kitchen import Kitchen


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path / "cache")


def test_the_file_is_named_by_its_hash(kitchen: Kitchen) -> None:
    entry = kitchen.cook()
    path = kitchen.path(entry)
    assert sha256_of(path) == entry.sha256 == path.name
    assert path.parent.name == entry.sha256[:2]
    assert path.stat().st_size == entry.size


def test_other_bytes_of_the_same_size_are_found_by_their_time(kitchen: Kitchen) -> None:
    entry = kitchen.cook()
    kitchen.path(entry).write_text("flour+dough+MEAL")
    kitchen.cook()
    assert kitchen.ran == ["meal"]


def test_silent_damage_is_found_when_all_files_are_verified(kitchen: Kitchen) -> None:
    entry = kitchen.cook()
    path = kitchen.path(entry)
    stamp = path.stat()
    with path.open("r+") as file:
        file.write("FLOUR")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    kitchen.cook()
    assert kitchen.ran == []
    kitchen.cook(verify=True)
    assert kitchen.ran == ["meal"]


def test_a_touched_but_whole_file_is_read_once_and_kept(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = kitchen.cook()
    os.utime(kitchen.path(entry), (1, 1))
    assert kitchen.cook().sha256 == entry.sha256
    assert kitchen.ran == []
    module = "ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store.sha256_of"
    monkeypatch.setattr(module, lambda _path: pytest.fail("the file was read again"))
    kitchen.cook()


def test_a_damaged_index_entry_counts_as_absent(kitchen: Kitchen) -> None:
    kitchen.cook()
    for path in (kitchen.root / "index").iterdir():
        path.write_text("{")
    kitchen.cook()
    assert kitchen.ran == ["flour", "dough", "meal"]


def test_the_second_of_two_runs_waits_for_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    said: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with store.lock(said.append):
            entered.set()

    with (tmp_path / "bundle.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
        assert said == [f"another run is using {tmp_path}, waiting for it"]
    assert entered.wait(5)
    thread.join()


def test_keys_ignore_the_order_of_mappings_only() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert key_of({"b": [1, 2]}) != key_of({"b": [2, 1]})
