"""The engine that makes what is missing, with real files: what is kept, what is made again, what is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Engine, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import Store

from tests.unit.plugin_utils.bundle.kitchen import Kitchen


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


def test_a_step_is_given_what_it_needs_and_an_empty_folder_of_its_own(tmp_path: Path) -> None:
    """And the files and records of its needs alone; what it leaves in its folder is gone when it ends."""
    given: list[BuildContext] = []

    def make(name: str) -> Step:
        def run(build: BuildContext) -> BuildResult:
            assert list(build.folder.iterdir()) == []
            (build.folder / "litter").touch()
            (build.kept / name).touch()
            given.append(build)
            (build.folder / "out").write_text(name)
            return BuildResult(build.folder / "out", {"of": name})

        return Step(name, {"name": name}, run, ("a",) if name == "c" else ())

    entries = Engine(map(make, "abc"), Store(tmp_path), lambda _line: None).make(["b", "c"])
    assert list(entries) == ["b", "c"]
    first, second, third = given
    assert (first.needs, second.needs) == ({}, {})
    assert {name: path.read_text() for name, path in third.needs.items()} == {"a": "a"}
    assert third.extras == {"a": {"of": "a"}}
    assert len({build.folder for build in given}) == 3
    assert not any(build.folder.exists() for build in given)
    assert sorted(path.name for path in third.kept.iterdir()) == ["a", "b", "c"], "partial downloads outlive their step"


def test_a_file_that_is_not_what_is_pinned_is_refused_and_not_kept(tmp_path: Path) -> None:
    pinned = hashlib.sha256(b"right").hexdigest()
    text = "wrong"

    def run(build: BuildContext) -> BuildResult:
        (build.folder / "out").write_text(text)
        return BuildResult(build.folder / "out")

    engine = Engine([Step("program a", {}, run, sha256=pinned)], Store(tmp_path), lambda _line: None)
    found = hashlib.sha256(b"wrong").hexdigest()
    message = f"^program a: sha256: found {found}, expected {pinned}: .*Try: go env GOFLAGS GOEXPERIMENT"
    with pytest.raises(progress.CommandError, match=message):
        engine.make(["program a"])
    assert not Store(tmp_path).path(found).exists()
    assert engine.pending(["program a"]) == ["program a"]
    text = "right"
    assert engine.make(["program a"])["program a"].sha256 == pinned


def test_the_same_need_of_two_steps_is_made_once(tmp_path: Path) -> None:
    made: list[str] = []

    def step(name: str, *needs: str) -> Step:
        def run(build: BuildContext) -> BuildResult:
            made.append(name)
            (build.folder / "out").write_text(name)
            return BuildResult(build.folder / "out")

        return Step(name, {"name": name}, run, needs)

    engine = Engine([step("a", "c"), step("b", "c"), step("c")], Store(tmp_path), lambda _line: None)
    assert engine.pending(["a", "b"]) == ["c", "a", "b"]
    engine.make(["a", "b"])
    assert made == engine.built == ["c", "a", "b"]
    assert engine.pending(["a", "b"]) == []
