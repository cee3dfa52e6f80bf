"""The bundle's cache and its engine, with real files: what is kept, what is made again, what is found damaged."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Engine, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Entry, Store, key_of, sha256_of


class Kitchen:
    """Three steps in a row, `meal` from `dough` from `flour`, and a count of how often each ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.said: list[str] = []
        self.texts = {"flour": "flour", "dough": "dough", "meal": "meal"}
        self.broken = ""

    def _recipe(self, name: str, need: str = "") -> Callable[[BuildContext], BuildResult]:
        def run(build: BuildContext) -> BuildResult:
            self.ran.append(name)
            if self.broken == name:
                raise progress.CommandError("out of gas")
            path = build.folder / name
            path.write_text((build.needs[need].read_text() + "+" if need else "") + self.texts[name])
            return BuildResult(path, {"made": name})

        return run

    def engine(self, rebuild: tuple[str, ...] = (), verify: bool = False) -> Engine:
        """A fresh engine over the same cache, as the next run would have it."""
        steps = [
            Step("flour", {"text": self.texts["flour"]}, self._recipe("flour")),
            Step("dough", {"text": self.texts["dough"]}, self._recipe("dough", "flour"), ("flour",)),
            Step("meal", {"text": self.texts["meal"]}, self._recipe("meal", "dough"), ("dough",)),
        ]
        self.ran.clear()
        return Engine(steps, Store(self.root), self.said.append, verify, rebuild)

    def cook(self, rebuild: tuple[str, ...] = (), verify: bool = False) -> Entry:
        """One run for `meal`."""
        return self.engine(rebuild, verify).make(["meal"])["meal"]

    def path(self, entry: Entry) -> Path:
        return Store(self.root).path(entry.sha256)


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path / "cache")


def test_first_run_makes_all_and_the_second_nothing(kitchen: Kitchen) -> None:
    entry = kitchen.cook()
    assert kitchen.ran == ["flour", "dough", "meal"]
    assert kitchen.path(entry).read_text() == "flour+dough+meal"
    assert entry.extra == {"made": "meal"}
    assert kitchen.cook() == entry
    assert kitchen.ran == []


def test_the_file_is_named_by_its_hash(kitchen: Kitchen) -> None:
    entry = kitchen.cook()
    path = kitchen.path(entry)
    assert sha256_of(path) == entry.sha256 == path.name
    assert path.parent.name == entry.sha256[:2]
    assert path.stat().st_size == entry.size


def test_a_changed_input_makes_that_step_and_those_after_it(kitchen: Kitchen) -> None:
    kitchen.cook()
    kitchen.texts["dough"] = "sourdough"
    assert kitchen.engine().pending(["meal"]) == ["dough", "meal"]
    entry = kitchen.cook()
    assert kitchen.ran == ["dough", "meal"]
    assert kitchen.path(entry).read_text() == "flour+sourdough+meal"
    kitchen.texts["dough"] = "dough"
    kitchen.cook()
    assert kitchen.ran == []


def test_an_interrupted_run_goes_on_where_it_ended(kitchen: Kitchen) -> None:
    kitchen.broken = "dough"
    with pytest.raises(progress.CommandError, match="out of gas"):
        kitchen.cook()
    assert kitchen.ran == ["flour", "dough"]
    kitchen.broken = ""
    kitchen.cook()
    assert kitchen.ran == ["dough", "meal"]


@pytest.mark.parametrize("damage", ["cut", "removed"])
def test_a_visibly_damaged_file_is_made_again(kitchen: Kitchen, damage: str) -> None:
    entry = kitchen.cook()
    if damage == "cut":
        kitchen.path(entry).write_text("flour")
    else:
        kitchen.path(entry).unlink()
    assert kitchen.cook().sha256 == entry.sha256
    assert kitchen.ran == ["meal"]
    assert any("missing or damaged" in line and entry.sha256 in line for line in kitchen.said)
    assert kitchen.path(entry).read_text() == "flour+dough+meal"


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


def test_a_step_needed_only_by_whole_files_is_not_missed(kitchen: Kitchen) -> None:
    kitchen.cook()
    flour = kitchen.engine().make(["flour"])["flour"]
    kitchen.path(flour).unlink()
    kitchen.cook()
    assert kitchen.ran == []
    kitchen.texts["dough"] = "rye"
    kitchen.cook()
    assert kitchen.ran == ["flour", "dough", "meal"]


def test_rebuild_makes_one_step_and_keeps_what_comes_out_the_same(kitchen: Kitchen) -> None:
    kitchen.cook()
    kitchen.cook(rebuild=("flour",))
    assert kitchen.ran == ["flour"]


def test_pending_changes_nothing(kitchen: Kitchen) -> None:
    assert kitchen.engine().pending(["meal"]) == ["flour", "dough", "meal"]
    assert not kitchen.root.exists()


def test_progress_counts_and_remembers(kitchen: Kitchen) -> None:
    kitchen.cook()
    assert [line.split(",")[0] for line in kitchen.said] == [
        "building flour (1 of 3)",
        "building dough (2 of 3)",
        "building meal (3 of 3)",
    ]
    kitchen.said.clear()
    kitchen.cook(rebuild=("meal",))
    assert kitchen.said == ["building meal (1 of 1), took 0 s last time, about 0 s left"]


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
