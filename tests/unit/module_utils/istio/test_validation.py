"""istio_validate: what istioctl's answers mean, and the module with an istioctl that answers from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.istio import validation

from tests.conftest import Run, task_play


def finding(level: str, code: str, origin: str) -> dict[str, str]:
    return {"level": level, "code": code, "origin": origin, "message": "told so"}


def status(state: str) -> dict[str, Any]:
    configs = [{"typeUrl": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "configStatus": state}]
    return {"resources": [{"node": {"id": "web.foo"}, "genericXdsConfigs": configs}]}


def test_a_port_without_a_protocols_name_is_worth_a_warning() -> None:
    text = json.dumps([finding("Info", "IST0118", "Service foo/db"), finding("Info", "IST0102", "Namespace default")])
    assert validation.notes(text) == ["Info IST0118 Service foo/db: told so"]
    assert validation.findings(text, "Warning") == []
    assert validation.notes(json.dumps([finding("Warning", "IST0103", "b")])) == ["Warning IST0103 b: told so"]


def test_findings_below_the_level_are_no_fault() -> None:
    text = json.dumps([finding("Error", "IST0101", "a"), finding("Warning", "IST0103", "b"), finding("Info", "I", "c")])
    assert validation.findings(text, "Error") == ["Error IST0101 a: told so"]
    assert len(validation.findings(text, "Warning")) == 2
    assert validation.findings("", "Warning") == []


def test_only_the_projects_own_envoy_filters_are_accepted() -> None:
    names = ("istio-system/request-metrics-stable", "foo/rate-limit-gateway-limited", "foo/limit")
    found = [finding("Warning", "IST0133", f"EnvoyFilter {name}") for name in names]
    assert validation.findings(json.dumps(found), "Warning") == ["Warning IST0133 EnvoyFilter foo/limit: told so"]


@pytest.mark.parametrize(("state", "late"), [("SYNCED", []), ("STALE", ["web.foo: Cluster STALE"]), ("ERROR", None)])
def test_a_proxy_that_is_not_in_step_is_named(state: str, late: list[str] | None) -> None:
    found = validation.behind(json.dumps(status(state)))
    assert found == (["web.foo: Cluster ERROR"] if late is None else late)
    assert validation.behind("") == []


def test_every_istiod_answers_with_a_document_of_its_own() -> None:
    text = json.dumps(status("SYNCED"), indent=4) + "\n" + json.dumps(status("STALE"), indent=4)
    assert validation.behind(text) == ["web.foo: Cluster STALE"]


@pytest.mark.parametrize(
    ("analysis", "state", "words"),
    [
        ([], "SYNCED", ""),
        ([finding("Error", "IST0101", "VirtualService foo/web")], "SYNCED", "Error IST0101 VirtualService foo/web"),
        ([], "STALE", "web.foo: Cluster STALE after 0 s, expected SYNCED"),
    ],
)
def test_the_module_refuses_what_istioctl_finds(
    playbook: Callable[..., Run], tmp_path: Path, analysis: list[Any], state: str, words: str
) -> None:
    done = ask_module(playbook, tmp_path, json.dumps(analysis), json.dumps(status(state)))
    assert (done.code == 0) is (not words), done.output
    assert words in done.output


def ask_module(playbook: Callable[..., Run], tmp_path: Path, analysis: str, proxies: str) -> Run:
    """Run the module with an istioctl that answers so, and that logs on its standard output by default."""
    (tmp_path / "analyze").write_text(analysis)
    (tmp_path / "proxy-status").write_text(proxies)
    program = tmp_path / "istioctl"
    program.write_text(
        f"""#!/bin/sh
case " $* " in *" --log_target stderr "*) ;; *) echo "2026-11-26T10:00:00Z error lost connection" ;; esac
for word; do if [ -f "{tmp_path}/$word" ]; then cat "{tmp_path}/$word"; fi; done
"""
    )
    program.chmod(0o755)
    arguments = {"istioctl": str(program), "kubeconfig": "none", "revisions": ["stable"], "timeout": 0}
    return playbook(
        "-i", "localhost,", task_play(tmp_path, "twinstack.core.istio_validate", arguments, "found['findings']")
    )


def test_an_answer_that_is_not_understood_is_shown(playbook: Callable[..., Run], tmp_path: Path) -> None:
    done = ask_module(playbook, tmp_path, "[]", "2026-11-26 no istiod")
    assert done.code != 0 and "istioctl proxy-status --revision stable: found '2026-11-26 no istiod'" in done.output
