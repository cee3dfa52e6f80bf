"""A host remembers what it was, and check mode changes nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.state import kernel
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState
from ansible_collections.twinstack.core.plugins.module_utils.host.state.reconcile import reconcile

from tests.unit.module_utils.host.state.samples import apply, spec


def test_a_host_remembers_its_cluster(record_path: Path) -> None:
    reconcile(DesiredState(cluster="demo"), check_mode=True)
    assert not record_path.exists()
    assert reconcile(DesiredState(cluster="demo"), check_mode=False) == []
    assert json.loads(record_path.read_text())["cluster"] == "demo"


def test_what_kubelet_and_kube_proxy_will_set_is_remembered_once(
    record_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"net/netfilter/nf_conntrack_max": "65536", "vm/overcommit_memory": "0"}
    monkeypatch.setattr(kernel, "read_sysctl", values.get)
    reconcile(DesiredState(cluster="demo"), check_mode=False)
    values["net/netfilter/nf_conntrack_max"] = "131072"  # kube-proxy came
    reconcile(DesiredState(cluster="demo"), check_mode=False)
    kept = json.loads(record_path.read_text())["sysctls"]
    assert kept == {"net/netfilter/nf_conntrack_max": "65536", "vm/overcommit_memory": "0"}


def test_check_mode_writes_nothing_and_says_the_same(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "b.conf"
    assert apply(spec(target, content="x"), check=True) == [str(target)]
    assert not target.exists()
    assert not record_path.exists()


def test_the_first_original_is_kept(tmp_path: Path, record_path: Path) -> None:
    target = tmp_path / "b.conf"
    target.write_text("theirs\n")
    apply(spec(target, content="ours 1\n"))
    apply(spec(target, content="ours 2\n"))
    kept = json.loads(record_path.read_text())["files"][str(target)]
    assert base64.b64decode(kept) == b"theirs\n"
