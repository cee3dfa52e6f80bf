"""host_check in a real play: all findings in one list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.unit.plugin_utils.preflight.samples import CLUSTER, SETTINGS, fit_hosts
from tests.unit.plugin_utils.preflight.standing_samples import of, standing_hosts


def play(
    tmp_path: Path, spoil: Any, settings: dict[str, Any] | None = None, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run the action in a real play over two hosts whose probe results are given as variables.

    settings: of a cluster that stands; without them the hosts are bare. options: of ansible-playbook.
    """
    hosts = fit_hosts() if settings is None else standing_hosts()
    variables = {}
    for host in hosts:
        spoil(host)
        variables[host.name] = {**host.addresses, "one": {"probe": host.probe}, "two": host.peers}
    given = {key: value for key, value in vars(SETTINGS).items() if key not in ("control_plane", "desired", "where")}
    task = {
        "name": "Judge",
        "twinstack.core.host_check": {
            **given,
            "cluster_settings": settings or CLUSTER,
            "hosts": list(variables),
            "control_plane": ["cp1"],
            "host_probe": "one",
            "peer_probe": "two",
        },
        "run_once": True,
    }
    playbook = [{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(playbook), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": variables}}), encoding="utf-8")
    return subprocess.run(
        ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_fit_hosts_pass(tmp_path: Path) -> None:
    done = play(tmp_path, lambda host: None)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_errors_come_in_one_list_and_warnings_beside_them(tmp_path: Path) -> None:
    def spoil(host: Any) -> None:
        host.probe["cpus"] = 1
        host.probe["clock"]["synchronised"] = False
        if host.name == "worker1":
            host.probe["memory"]["total_mb"] = 500
            host.peers["peers"]["cp1"]["ipv6"]["reachable"] = False

    done = play(tmp_path, spoil)
    assert done.returncode != 0
    for line in (
        "3 reasons not to touch any host:",
        "1. [error] cp1, worker1: cpus: found 1; expected at least 2 (preflight_min_cpus)",
        "2. [error] worker1: memory: found 500 MiB; expected at least 1700 MiB (preflight_min_memory_mb)",
        "3. [error] worker1 -> cp1: ipv6 reachability: found no answer from fd66::11; expected an answer by UDP.",
        "4. [warning] cp1, worker1: clock: found no time service has set it",
    ):
        assert line in done.stdout


def test_a_host_without_results_is_named(tmp_path: Path) -> None:
    def spoil(host: Any) -> None:
        if host.name == "cp1":
            host.probe.clear()
            host.peers.clear()

    done = play(tmp_path, spoil)
    assert "[error] cp1: probe: found no result; expected a host that answers over SSH" in done.stdout


def test_what_a_living_cluster_refuses_comes_in_the_same_list_and_in_check_mode_too(tmp_path: Path) -> None:
    """With the file of the inventory that sets it, or the command line."""

    def spoil(host: Any) -> None:
        host.probe["cpus"] = 1
        if host.name == "cp1":
            of(host)["cluster"]["nodes"][1]["unschedulable"] = True

    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "group_vars" / "all" / "net.yml").write_text("pod_cidrs: []\ntwinstack_api_port: 1\n", encoding="utf-8")
    settings = CLUSTER | {"pod_cidrs": ["10.245.0.0/16", "fd66:244::/56"], "api_port": 7443, "domain": "x.local"}
    for option in ("--diff", "--check"):
        done = play(tmp_path, spoil, settings, "-e", "twinstack_api_port=7443", option)
        assert done.returncode != 0
        for line in (
            "4 reasons not to touch any host:",
            "1. [error] command line: twinstack_api_port: found 7443; expected 6443, with which the cluster was made",
            "2. [error] cp1, worker1: cpus: found 1;",
            "3. [error] group_vars/all: twinstack_cluster_domain: found x.local; expected cluster.local, with which",
            "4. [error] group_vars/all/net.yml: pod_cidrs: found 10.245.0.0/16, fd66:244::/56; expected 10.244.0.0/16,",
            "5. [warning] worker1: node: found cordoned;",
        ):
            assert line in done.stdout


def test_a_living_cluster_passes(tmp_path: Path) -> None:
    done = play(tmp_path, lambda host: None, CLUSTER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_that_are_none_are_named(tmp_path: Path) -> None:
    done = play(tmp_path, lambda host: None, CLUSTER | {"pod_cidrs": ["10.244.0.0/16"]})
    assert "cluster_settings: pod_cidrs: found 10.244.0.0/16, expected one network of each family" in done.stdout
