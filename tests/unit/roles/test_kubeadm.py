"""The playbook of changed settings, run by Ansible itself, without a host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.conftest import ROOT
from tests.unit.plugin_utils.plan import samples

OTHER_PROXY = samples.RUNNING | {"ipvs": {"minSyncPeriod": "9s", "strictARP": True}}


def play(folder: Path, nodes: dict[str, dict[str, Any]], connection: str, *options: str) -> str:
    """Output of playbooks/cluster/reconcile.yml with what the probe found of the hosts."""
    hosts = {
        name: {
            "ansible_connection": connection,
            "ansible_host": "192.0.2.1",
            "ansible_python_interpreter": sys.executable,
            "ipv4": ipv4,
            "ipv6": ipv6,
            "preflight_node": nodes[name],
        }
        for name, ipv4, ipv6 in (("cp1", "10.0.0.1", "fd00::1"), ("w1", "10.0.0.2", "fd00::2"))
    }
    shared = {
        "ansible_become": False,
        "twinstack_cluster_name": "t",
        "twinstack_api_name": "api.t",
        "primary_family": "ipv4",
        "pod_cidrs": ["10.244.0.0/16", "fd66:244::/56"],
        "service_cidrs": ["10.96.0.0/16", "fd66:96::/112"],
        "twinstack_versions": {"kubernetes": "1.37.2", "coredns": "1.15.0", "etcd": "3.7.3"},
    }
    inventory = {
        "all": {"vars": shared},
        "control_plane": {"hosts": {"cp1": hosts["cp1"]}},
        "worker": {"hosts": {"w1": hosts["w1"]}},
    }
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "hosts.yml"), *options]
    # A step of site.yml, which is refused by itself.
    steps = [{"name": "Steps", "import_playbook": str(ROOT / "playbooks/cluster/reconcile.yml")}]
    (folder / "site.yml").write_text(yaml.safe_dump(steps))
    command += ["-e", "validate_inventory_done=true", str(folder / "site.yml")]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_SSH_RETRIES": "0",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + f"\nexit status {done.returncode}"


def recap(output: str) -> dict[str, dict[str, int]]:
    """Counts by host."""
    rows = re.findall(r"^(\w+)\s+: (ok=.*)$", output, re.MULTILINE)
    return {name: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", row)} for name, row in rows}


def test_without_a_difference_no_host_is_called(tmp_path: Path) -> None:
    """Their connection leads nowhere."""
    output = play(tmp_path, samples.nodes(), "ansible.builtin.ssh")
    assert output.endswith("exit status 0"), output
    assert [(one["changed"], one["unreachable"]) for one in recap(output).values()] in ([(0, 0)], [(0, 0)] * 2)


def test_an_api_server_that_did_not_answer_is_told(tmp_path: Path) -> None:
    output = play(tmp_path, samples.nodes(cluster=None, cluster_error="no route"), "ansible.builtin.ssh")
    assert "cp1: cluster settings: found no route; expected" in output
    assert output.endswith("exit status 0"), output


def test_check_mode_says_which_steps_there_are_host_by_host(tmp_path: Path) -> None:
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("minSyncPeriod: 3s", "minSyncPeriod: 9s"))
    nodes["w1"]["running"] = samples.running(kube_proxy=OTHER_PROXY, kubelet_behind=True)
    output = play(tmp_path, nodes, "ansible.builtin.local", "--check", "--diff")
    assert output.endswith("exit status 0"), output
    assert "cluster: kube-proxy: ipvs.minSyncPeriod: 9s -> 3s" in output
    assert "w1: kube-proxy: ipvs.minSyncPeriod: 9s -> 3s (restarts kube-proxy)" in output
    found = re.findall(r"^\+step (.*)$", output, re.MULTILINE)
    assert found == ["upload_kube_proxy", "kubelet", "restart_kube_proxy"]
    counts = recap(output)
    assert counts["cp1"]["changed"] == 1, "that node runs with them already"
    assert counts["w1"]["changed"] == 2


def test_a_node_that_is_lost_stops_the_run_before_the_next_one(tmp_path: Path) -> None:
    """Both nodes have something to do, and the first cannot: the second is not called."""
    nodes = samples.nodes()
    for node in nodes.values():
        node["running"] = samples.running(kubelet_behind=True)
    nodes["w1"]["running"]["kube_proxy"] = OTHER_PROXY
    output = play(tmp_path, nodes, "ansible.builtin.ssh")
    assert not output.endswith("exit status 0")
    assert set(recap(output)) == {"cp1"}


def expression() -> str:
    """What the role's task reckons as lost."""
    tasks = yaml.safe_load((ROOT / "roles/kubeadm/tasks/reconcile_node.yml").read_text())
    block = next(task for task in tasks[0]["block"] if "rescue" in task)
    text: str = block["vars"]["__kubeadm_lost"]
    return text


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ([], {"unreached": []}, []),
        (["DNS by IPv4"], {"unreached": ["DNS by IPv4"]}, []),
        ([], {"unreached": ["DNS by IPv6"]}, ["DNS by IPv6"]),
        ([], {"failed": True, "msg": "gone"}, ["gone"]),
    ],
)
def test_lost_is_what_was_reached_before(before: list[str], after: dict[str, Any], lost: list[str]) -> None:
    variables = {"__kubeadm_reached_before": {"unreached": before}, "__kubeadm_reached_after": after}
    assert Templar(DataLoader(), variables=variables).template(trust_as_template(expression())) == lost
