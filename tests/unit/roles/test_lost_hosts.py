"""roles/lost_hosts: a run goes on without a worker that it loses, and says so to the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import inventories
from tests.conftest import ROOT, Run


@pytest.fixture
def lose(tmp_path: Path, playbook: Callable[..., Run]) -> Callable[..., Run]:
    """Runs plays with the endings that site.yml's have; hosts of a play answer ssh with a status of their own.

    Each keyword is a play on hosts: what ssh ends with by host, 255 as for a dead one, 0 for others.
    """

    def start(**plays: dict[str, int]) -> Run:
        folder = inventories.write(tmp_path / "inventory", inventories.good())
        ssh = tmp_path / "ssh"
        lines = [
            f'case "$*" in *{name}*{address(host)}*|*{address(host)}*{name}*) exit {status};; esac'
            for name, statuses in plays.items()
            for host, status in statuses.items()
        ]
        ssh.write_text("\n".join(["#!/bin/sh", *lines, "exit 0"]))
        ssh.chmod(0o755)
        ending, needed = (
            {"name": "L", "ansible.builtin.import_role": {"name": "twinstack.core.lost_hosts", "tasks_from": point}}
            for point in ("main", "required")
        )
        listed: list[dict[str, Any]] = []
        for name in plays:
            hosts = {"gather_facts": False, "any_errors_fatal": False, "hosts": "control_plane:worker"}
            work = {"name": "Work", "ansible.builtin.raw": name}
            listed.append({"name": name, **hosts, "strategy": "ansible.builtin.free", "tasks": [work]})
            listed.append({"name": f"after {name}", **hosts, "tasks": [ending]})
        show = {"name": "Show", "ansible.builtin.debug": {"msg": "waits for {{ twinstack_waited_nodes | join(' ') }}"}}
        role = {"name": "R", "ansible.builtin.import_role": {"name": "twinstack.core.twinstack"}}
        local = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        listed.append({"name": "cluster", **local, "tasks": [needed, role, show]})
        listed.append({"name": "end", "import_playbook": str(ROOT / "playbooks/cluster/lost.yml")})
        path = tmp_path / "play.yml"
        path.write_text(json.dumps(listed))
        return playbook(path, "-i", folder, environment={"ANSIBLE_SSH_EXECUTABLE": str(ssh)})

    return start


def address(host: str) -> str:
    """Of a host of the good inventory."""
    groups: dict[str, Any] = inventories.good()["hosts.yml"]
    [found] = [group["hosts"][host]["ansible_host"] for group in groups.values() if host in group["hosts"]]
    return str(found)


def test_a_run_that_loses_nothing(lose: Callable[..., Run]) -> None:
    """Says nothing of it."""
    done = lose(install={}).succeeded()
    assert "waits for cp1 worker1 worker2" in done.output and "lost in this run" not in done.output


@pytest.mark.parametrize("status", [255, 1])
def test_a_run_goes_on_without_a_worker(lose: Callable[..., Run], status: int) -> None:
    """Whether it cannot be reached or something failed on it; the exit status says it."""
    done = lose(install={"worker1": status}, images={})
    assert done.code
    said = " ".join(done.output.split())
    assert said.count("worker1: lost in this run, as reported above; it goes on without") == 1
    assert "waits for cp1 worker2" in said
    assert "worker1: found lost in this run, as reported above; expected every host to come through" in said
    assert "Try: boot or mend the host, then the same command again" in said


def test_every_lost_worker_is_named(lose: Callable[..., Run]) -> None:
    """Each when it is lost, and the run stops when it is the last."""
    done = lose(install={"worker2": 255}, images={"worker1": 255})
    said = " ".join(done.output.split())
    assert done.code and "waits for" not in said
    assert "worker2: lost in this run, as reported above; it goes on without" in said
    assert (
        "worker1, worker2: found lost in this run, as reported above; expected the control plane and at least" in said
    )


@pytest.mark.parametrize("also", [{}, {"worker1": 1}])
def test_a_run_stops_without_its_control_plane(lose: Callable[..., Run], also: dict[str, int]) -> None:
    """Whatever else is there."""
    done = lose(install={"cp1": 255} | also, images={})
    said = " ".join(done.output.split())
    assert done.code and "waits for" not in said
    assert "cp1: found lost in this run, as reported above; expected the control plane and at least one worker" in said
