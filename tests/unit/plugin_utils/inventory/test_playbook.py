"""playbooks/validate.yml, which uses the validate_inventory action and inventory/reader.py as a person would."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions

from tests import inventories
from tests.conftest import Run

PLAYBOOK = "playbooks/validate.yml"


@pytest.fixture
def check(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs the playbook on the good inventory with a change; fails when it tries to contact any host."""

    def start(change: dict[str, Any], *arguments: str) -> Run:
        contacted = tmp_path / "contacted"
        ssh = tmp_path / "ssh"
        ssh.write_text(f"#!/bin/sh\ntouch {contacted}\nexit 255\n", encoding="utf-8")
        ssh.chmod(0o755)
        folder = inventories.write(tmp_path / "inventory", inventories.changed(inventories.good(), change))
        result = playbook(PLAYBOOK, "-i", folder, *arguments, environment={"ANSIBLE_SSH_EXECUTABLE": str(ssh)})
        assert not contacted.exists()
        return result

    return start


def listed(run: Run) -> list[str]:
    """The numbered lines of the list of findings in the task's result."""
    message = run.output.rpartition("msg: |-")[2] or run.output
    return [match[1] for match in re.finditer(r"^\s+\d+\. (\[(?:error|warning)\] .*)$", message, re.MULTILINE)]


def test_a_good_inventory(check: Callable[..., Run]) -> None:
    """Passes with the warning, changes nothing, and takes seconds at most even on a busy machine."""
    started = time.monotonic()
    run = check({}).succeeded()
    assert time.monotonic() - started < 20
    assert "[WARNING]: group_vars/all: twinstack_proxy_mode: found ipvs" in run.output
    assert re.search(r"localhost +: ok=3 +changed=0 +unreachable=0 +failed=0", run.output)


def test_all_errors_are_in_one_list(check: Callable[..., Run]) -> None:
    """Of hosts, networks, types, names in files and on the command line."""
    change = {
        "hosts.yml": {"worker": {"hosts": {"worker1": {"ipv6": inventories.REMOVED, "ip6": "fd20::12"}}}},
        "group_vars/all.yml": {"twinstack_mtu": "large", "pod_cidrs": ["10.244.0.1/16", "fd20:244::/56"]},
        "group_vars/worker.yml": {"twinstack_artifact_dir": "{{ inventory_dir }}/a"},
    }
    run = check(change, "-e", "twinstack_proxy_mode=iptables", "-e", "primary_famly=ipv6")
    assert run.code == 2
    assert "6 reasons not to contact any host" in run.output
    assert listed(run) == [
        "[error] command line: primary_famly: found a variable that no role has; expected primary_family",
        "[error] command line: twinstack_proxy_mode: found iptables; expected ipvs or nftables",
        "[error] group_vars/all.yml: pod_cidrs: found 10.244.0.1/16, which has host bits; expected 10.244.0.0/16",
        "[error] group_vars/all.yml: twinstack_mtu: found large; expected a whole number",
        "[error] group_vars/worker.yml: twinstack_artifact_dir: found a variable that no role has; "
        "expected twinstack_artifacts_dir",
        "[error] worker1: ipv6: found nothing, but ip6; expected an IPv6 address; no family is ever guessed",
    ]


def test_an_inventory_without_hosts(check: Callable[..., Run]) -> None:
    """Settings are judged all the same, and nothing but findings comes."""
    change = {
        "hosts.yml": {group: {"hosts": inventories.REMOVED} for group in ("control_plane", "worker")},
        "group_vars/all.yml": {"twinstack_mtu": 5, "primary_family": "{{ nowhere }}"},
    }
    run = check(change)
    assert run.code == 2
    kubernetes = bundle_versions.of_cluster()["kubernetes"]
    hint = "ansible -i INVENTORY all -c local -m ansible.builtin.debug -a var=primary_family"
    assert listed(run) == [
        "[error] group_vars/all.yml: primary_family: found {{ nowhere }}, which cannot be resolved; "
        f"expected a value without unknown variables. Try: {hint}",
        "[error] group_vars/all.yml: twinstack_mtu: found 5; expected 0, or 1280 (the least for IPv6) to 9216",
        "[error] hosts.yml: control_plane: found no host in the group; expected at least one",
        "[error] hosts.yml: worker: found no host in the group; expected at least one",
        f"[warning] group_vars/all: twinstack_proxy_mode: found ipvs with Kubernetes {kubernetes}; "
        "expected nftables by Kubernetes 1.40, which refuses ipvs. "
        "Try: twinstack_proxy_mode: nftables for a new cluster",
    ]
