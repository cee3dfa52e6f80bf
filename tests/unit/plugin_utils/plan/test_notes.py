"""What tasks note for the plan, and that hosts which do so at the same time keep each other's lines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import notes
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import Note


@pytest.mark.parametrize(
    ("result", "steps"),
    [
        ({"steps": ["file /etc/hosts", "unit a restarted"]}, ["file /etc/hosts", "unit a restarted"]),
        ({"missing": ["kubelet"]}, ["program or package kubelet"]),
        ({"lacking": ["registry.k8s.io/pause:3.10"]}, ["image registry.k8s.io/pause:3.10"]),
    ],
)  # fmt: skip
def test_a_host(result: dict[str, list[str]], steps: list[str]) -> None:
    """By what host_state, artifacts and images return."""
    assert notes.of_host("n1", result | {"changed": True}) == Note("n1", steps)


def test_a_host_with_nothing_to_do() -> None:
    assert notes.of_host("n1", {"changed": False, "steps": [], "missing": []}) is None


def test_objects_that_are_new_are_told_from_changed_ones() -> None:
    """By what was there before."""
    result = {
        "compared": 3,
        "objects": ["Service a/new", "Service a/other"],
        "pruned": ["Service a/old"],
        "diff": [
            {"after_header": "Service a/new", "before": "", "after": "x"},
            {"after_header": "Service a/other", "before": "y", "after": "x"},
            {"after_header": "Service a/old", "before": "z", "after": ""},
        ],
    }
    assert notes.of_objects("tenants", result) == Note(
        "", [], "tenants", ["Service a/new"], ["Service a/other"], ["Service a/old"], 3
    )


def test_a_task_that_only_waits_has_no_note() -> None:
    assert notes.of_objects("", {"compared": 0, "objects": []}) is None


def test_many_at_once(tmp_path: Path) -> None:
    """No line is lost or torn."""
    path = tmp_path / "plan.notes"
    assert notes.read(path) == []
    written = [Note(f"n{number}", [f"file {'x' * 3000}"]) for number in range(50)]
    with ThreadPoolExecutor(max_workers=10) as pool:
        list(pool.map(lambda note: notes.add(path, note), [*written, None]))
    assert sorted(notes.read(path), key=lambda note: note.host) == sorted(written, key=lambda note: note.host)
    assert path.stat().st_mode & 0o777 == 0o600
