"""The order of a reset: refusals first, then the drain, then the host, then the node; in check mode, on this machine.

Its folders are covered in a mount namespace, with a record of the cluster "mine" and a kubectl that writes down its
words.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Run, run

COVER = """
mount -t tmpfs none "$1"
mkdir -p "$1"/etc "$1"/etc.work "$1"/bin "$1"/bin.work
mount -t overlay none -o lowerdir=/etc,upperdir="$1"/etc,workdir="$1"/etc.work /etc
mount -t overlay none -o lowerdir=/usr/local/bin,upperdir="$1"/bin,workdir="$1"/bin.work /usr/local/bin
mkdir -p /etc/twinstack
echo '{"cluster": "mine"}' > /etc/twinstack/host.json
cp "$2"/kubectl /usr/local/bin/kubectl
shift 2
exec "$@"
"""
KUBECTL = """#!/bin/sh
echo "$4" "$5" >> FOLDER/calls
case $4 in
get) echo '{"spec": {}, "status": {"nodeInfo": {"machineID": "'$(cat /etc/machine-id)'"}}}' ;;
drain) echo "evicting pod foo/web (dry run)" ;;
esac
"""
NETWORKS = {
    "primary_family": "ipv4",
    "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
    "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
}
HERE = {"ansible_connection": "local", "ansible_become": False}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount namespace")
Reset = Callable[..., tuple[Run, list[str]]]


@pytest.fixture
def reset(tmp_path: Path) -> Reset:
    """Runs playbooks/reset.yml in check mode; what it said, and what kubectl was told."""
    cover = tmp_path / "cover"
    cover.mkdir()
    (tmp_path / "kubectl").write_text(KUBECTL.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)

    def start(*words: str, control_plane: dict[str, object] = HERE) -> tuple[Run, list[str]]:
        workers = {name: HERE | {"ipv4": "10.0.0.2", "ipv6": "fd00::2"} for name in ("worker1", "worker2")}
        groups = {"control_plane": {"hosts": {"cp1": {**control_plane, "ipv4": "10.0.0.1", "ipv6": "fd00::1"}}}}
        variables = NETWORKS | {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = {"all": {"vars": variables, "children": groups | {"worker": {"hosts": workers}}}}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        play: list[str | Path] = [
            "ansible-playbook",
            "-i",
            tmp_path / "hosts.yml",
            "--check",
            "-e",
            "validate_inventory_done=true",
            ROOT / "playbooks" / "reset.yml",
            *words,
        ]
        shell: list[str | Path] = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-ec",
            COVER,
            "sh",
            cover,
            tmp_path,
        ]
        done = run(*shell, *play)
        calls = tmp_path / "calls"
        return done, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    return start


def test_a_worker_is_drained_before_and_deleted_after(reset: Reset) -> None:
    done, calls = reset("--limit", "worker1", "-e", "reset_confirm=mine")
    done.succeeded()
    order = [line.rpartition(": ")[2] for line in done.output.splitlines() if "would change worker1" in line]
    assert order == ["Drain the node", "Return the host to the state before the install", "Delete the node"]
    assert calls == ["get node", "drain worker1", "get node"], "check mode has deleted the node"


def test_a_host_that_is_refused_is_not_drained(reset: Reset) -> None:
    """H6: another name refuses the host before anything is touched."""
    done, calls = reset("--limit", "worker1", "-e", "reset_confirm=other")
    assert done.code != 0
    assert "/etc/twinstack/host.json: cluster: found mine; expected other" in done.output
    assert (calls, "changed=0" in done.output) == ([], True)


@pytest.mark.parametrize(
    ("limit", "calls"),
    [("all", []), ("worker", ["get node", "get node"]), ("worker1", ["get node"])],
    ids=["the whole cluster", "all workers", "not drained"],
)
def test_what_has_nowhere_to_go_is_not_drained(reset: Reset, limit: str, calls: list[str]) -> None:
    more = ["-e", "reset_drain=false"] if limit == "worker1" else []
    done, told = reset("--limit", limit, *more)
    done.succeeded()
    assert told == calls


def test_a_control_plane_that_is_gone_is_a_warning(reset: Reset) -> None:
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become": False}
    done, calls = reset("--limit", "worker1", "-e", "reset_confirm=mine", control_plane=gone)
    done.succeeded()
    assert "Warning: cp1 does not answer: node worker1 stays in the cluster" in done.output
    assert calls == []
