"""What proxies refused, out of istiod's metrics, and module istio_rejected_config with its note of what is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import rejected_config
from ansible_collections.twinstack.core.plugins.modules import istio_rejected_config

from tests.conftest import Run, task_play
from tests.unit.kube_server import api_server
from tests.unit.module_utils.istio.release_samples import EndedError, Module

METRICS = """# TYPE pilot_xds_lds_reject gauge
pilot_xds_lds_reject{err="Internal",node="foo-1.team"} 2
pilot_xds_cds_reject{err="say \\"no\\"",node="bar-1.team"} 1
pilot_total_xds_rejects{type="lds"} 3
pilot_xds{version="1.31.0"} 4
"""


def test_refusals_are_read_per_proxy_and_reason() -> None:
    assert rejected_config.parse(METRICS) == {
        "foo-1.team: Internal": 2,
        'bar-1.team: say \\"no\\"': 1,
        "all proxies: lds": 3,
    }


def test_an_istiod_without_an_address_is_not_queried(playbook: Callable[..., Run], tmp_path: Path) -> None:
    """As after a cold boot: its state is still "Running", and the API refuses to proxy to an invalid address."""
    states = {"istiod-1": {"phase": "Running"}, "istiod-2": {"phase": "Running", "podIP": "10.244.0.7"}}

    def pods(rest: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        if "/proxy" in rest:
            return (200, METRICS) if rest.startswith("/istiod-2:") else (400, {"message": "address not allowed"})
        return 200, {"items": [{"metadata": {"name": name}, "status": status} for name, status in states.items()]}

    with api_server(tmp_path) as (state, config):
        state.pages["/api/v1/namespaces/istio-system/pods"] = pods
        path = task_play(
            tmp_path, "twinstack.core.istio_rejected_config", {"kubeconfig": str(config)}, "found['rejects']"
        )
        output = playbook("-i", "localhost,", path).succeeded().output
    assert "istiod-2" in output and "istiod-1" not in output


@pytest.mark.parametrize("proxies", [[], [{"metadata": {"name": "foo-1", "namespace": "team"}}]])
def test_where_nobody_has_a_proxy_nobody_is_waited_for(
    playbook: Callable[..., Run], tmp_path: Path, proxies: list[Any]
) -> None:
    """One look at a mesh without proxies; with one, looks until the time is up, and a late refusal is seen."""
    looks: list[str] = []

    def pods(rest: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        if "/proxy" in rest:
            looks.append(rest)
            return 200, METRICS.encode() if len(looks) > 2 else b""
        return 200, {"items": [{"metadata": {"name": "istiod-1"}, "status": {"phase": "Running", "podIP": "::7"}}]}

    def everywhere(rest: str, query: list[tuple[str, str]]) -> tuple[int, Any]:
        assert ("labelSelector", "service.istio.io/canonical-name") in query
        return 200, {"items": proxies}

    with api_server(tmp_path) as (state, config):
        state.pages["/api/v1/namespaces/istio-system/pods"] = pods
        state.pages["/api/v1/pods"] = everywhere
        arguments = {"kubeconfig": str(config), "before": {"istiod-1": {}}, "seconds": 20}
        done = playbook("-i", "localhost,", task_play(tmp_path, "twinstack.core.istio_rejected_config", arguments))
    if proxies:
        assert done.code != 0 and "foo-1.team: Internal (2 times)" in done.output and len(looks) == 3
    else:
        done.succeeded()
        assert len(looks) == 1


@pytest.mark.parametrize(
    ("seconds", "since", "left"),
    [(3, 0, 3), (3, 99, 2), (3, 40, 0), (3, 130, 3), (0, 99, 0)],
    ids=["from now", "a moment ago", "long ago", "the clock was set back", "one look"],
)
def test_seconds_count_from_the_change(seconds: float, since: float, left: float) -> None:
    assert rejected_config.left(seconds, since, now=100) == left


def test_only_what_came_in_between_counts() -> None:
    before = {"istiod-1": {"foo: x": 2}}
    assert rejected_config.newer(before, {"istiod-1": {"foo: x": 2}}) == []
    after = {"istiod-1": {"foo: x": 5, "bar: y": 1}, "istiod-2": {"foo: x": 1}}
    assert rejected_config.newer(before, after) == ["bar: y (1 times)", "foo: x (3 times)", "foo: x (1 times)"]


def test_what_istiod_does_not_name_is_counted_all_the_same() -> None:
    text = 'pilot_xds_eds_reject{version="x"} 1\npilot_xds_rds_reject{version="x"} 2e+00\npilot_total_xds_rejects{} 4\n'
    assert rejected_config.parse(text) == {"unknown: no reason": 3, "all proxies: some type": 4}
    assert rejected_config.parse("# HELP pilot_xds_lds_reject x\n") == {}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """Of a cluster without an istiod."""
    with api_server(tmp_path) as (_state, path):
        yield path


def read(kubeconfig: Path, note: Path | None, check: bool = False) -> dict[str, Any]:
    """What the module returns."""
    given = {"kubeconfig": str(kubeconfig), "context": None, "note": str(note) if note else None}
    params = {"namespace": "istio-system", "before": None, "seconds": 0, "since": 0, **given}
    with pytest.raises(EndedError) as ended:
        istio_rejected_config.run(Module(params, check))
    return ended.value.result


def test_a_note_is_written_once_and_never_in_check_mode(kubeconfig: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert read(kubeconfig, note, check=True)["noted"] is False and not note.exists()
    assert read(tmp_path / "none", note, check=True)["noted"] is False and not note.exists()
    assert read(kubeconfig, note) == {"changed": False, "rejects": {}, "noted": False}
    assert note.read_text(encoding="utf-8") == istio_rejected_config.NOTE
    note.write_text("of an earlier run", encoding="utf-8")
    assert read(kubeconfig, note)["noted"] is True
    assert note.read_text(encoding="utf-8") == "of an earlier run"
    assert read(kubeconfig, None)["noted"] is False


def test_a_note_that_cannot_be_written_is_a_refusal_before_any_change(kubeconfig: Path, tmp_path: Path) -> None:
    found = read(kubeconfig, tmp_path / "missing" / "note")
    assert found["failed"] and "expected a file that can be written" in found["msg"]


def test_nothing_is_rejected_where_nobody_says_so() -> None:
    assert rejected_config.parse("") == {}
