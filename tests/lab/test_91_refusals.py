"""What site.yml must not do to a living cluster: refused before any host is touched, and every host is as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions

from tests.lab.conftest import REPO, Lab

HOSTS = ("cp1", "worker1", "worker2")
INVENTORY = REPO / "inventory" / "lab"
VERSIONS = {name: versions.of_all()[name] for name in ("kubernetes", "containerd", "etcd", "coredns", "calico")}


@pytest.fixture(scope="module")
def stands(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The cluster, and a picture of every host that no refusal may change."""
    lab.play("site.yml", "--skip-tags", "verify")
    yield still(lab, tmp_path_factory.mktemp("before"))


def still(lab: Lab, folder: Path) -> dict[str, Any]:
    """Pictures of all hosts, without what moves by itself: how many connections IPVS counts for each endpoint."""
    pictures = lab.pictures(folder)
    for picture in pictures.values():
        picture["ipvs"] = sorted({" ".join(line.split()[:4]) for line in picture["ipvs"]})
    return pictures


def other(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The lab's inventory with other hosts, and with what its runs have left."""
    copy = Path(shutil.copytree(INVENTORY, folder / "lab", symlinks=True))
    hosts = yaml.safe_load((copy / "hosts.yml").read_text())
    change(hosts)
    (copy / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))
    return copy


def moved(hosts: dict[str, Any]) -> None:
    """worker1 becomes the control plane, cp1 a worker."""
    control_plane, worker = hosts["control_plane"]["hosts"], hosts["worker"]["hosts"]
    control_plane["worker1"], worker["cp1"] = worker.pop("worker1"), control_plane.pop("cp1")


def readdressed(hosts: dict[str, Any]) -> None:
    """worker2 gets another IPv6 address; the other family stays."""
    hosts["worker"]["hosts"]["worker2"]["ipv6"] = "fd66::99"


def forgotten(hosts: dict[str, Any]) -> None:
    """worker2 is left out."""
    del hosts["worker"]["hosts"]["worker2"]


SETTINGS = [
    ({"pod_cidrs": ["10.200.0.0/16", "fd66:244::/56"]}, ["pod_cidrs", "10.200.0.0/16", "10.244.0.0/16"]),
    ({"service_cidrs": ["10.96.0.0/16", "fd66:97::/112"]}, ["service_cidrs", "fd66:97::/112", "fd66:96::/112"]),
    (
        {"primary_family": "ipv6", "service_cidrs": ["fd66:96::/112", "10.96.0.0/16"]},
        ["primary_family", "ipv6", "ipv4"],
    ),
    ({"twinstack_cluster_domain": "other.internal"}, ["twinstack_cluster_domain", "other.internal", "cluster.local"]),
    ({"twinstack_cluster_name": "other"}, ["other", "twinstack"]),
    ({"twinstack_api_name": "api.other.internal"}, ["twinstack_api_name", "api.other.internal"]),
    ({"twinstack_api_port": 7443}, ["twinstack_api_port", "7443", "6443"]),
    ({"twinstack_node_mask_ipv6": 72}, ["twinstack_node_mask_ipv6", "72", "64"]),
    (
        {"twinstack_versions": VERSIONS | {"kubernetes": "1.37.1"}},
        ["kubernetes", "1.37.1", VERSIONS["kubernetes"]],
    ),
]


@pytest.mark.parametrize(
    ("settings", "words"), SETTINGS, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_a_setting_that_cannot_change(
    lab: Lab, stands: dict[str, Any], tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    """Old and new value are named; nothing of the host is another than before."""
    output = lab.play("site.yml", "-e", json.dumps(settings), ok=False)
    assert "not to touch any host" in output or "not to contact any host" in output
    flat = " ".join(output.split())
    assert [word for word in words if word not in flat] == []
    assert still(lab, tmp_path) == stands


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (moved, ["worker1", "cp1", "control plane"]),
        (readdressed, ["worker2", "fd66::99", "fd66::13"]),
        (forgotten, ["worker2"]),
    ],
)
def test_a_host_that_is_not_what_it_was(
    lab: Lab,
    stands: dict[str, Any],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    words: list[str],
) -> None:
    """Another control plane, another address in one family, a node that no inventory names."""
    output = lab.play("site.yml", ok=False, inventory=other(tmp_path, change))
    flat = " ".join(output.split())
    assert "not to touch any host" in flat
    assert [word for word in words if word not in flat] == []
    assert still(lab, tmp_path / "after") == stands


@pytest.mark.usefixtures("stands")
def test_a_cordon_and_a_taint_stay(lab: Lab) -> None:
    """Named in a warning, never lifted, and nothing waits for the node."""
    lab.kubectl("cordon worker2")
    lab.kubectl("taint node worker1 rack=broken:NoSchedule")
    try:
        output = " ".join(lab.play("site.yml", "--skip-tags", "verify").split())
        nodes = {
            item["metadata"]["name"]: item["spec"] for item in json.loads(lab.kubectl("get nodes -o json"))["items"]
        }
        assert nodes["worker2"]["unschedulable"] is True
        assert [taint["key"] for taint in nodes["worker1"]["taints"]] == ["rack"]
        assert "worker2: cordon" in output or "worker2: node: found cordoned" in output
        assert "rack=broken:NoSchedule" in output
    finally:
        lab.kubectl("uncordon worker2")
        lab.kubectl("taint node worker1 rack-")


@pytest.mark.usefixtures("stands")
def test_the_plan_of_an_unchanged_site_is_one_line(lab: Lab) -> None:
    """By itself, within seconds, and as the run shows it."""
    output = lab.play("playbooks/plan.yml")
    assert lab.changed(output) == {}
    assert "plan: nothing to do on 3 hosts and in cluster twinstack" in output
    assert lab.run_record()["seconds"] < 30


def test_the_plan_of_a_changed_setting_tells_what_restarts(lab: Lab, stands: dict[str, Any], tmp_path: Path) -> None:
    """A setting of kube-proxy: told by the plan, which changes nothing."""
    output = lab.play("playbooks/plan.yml", "-e", "twinstack_ipvs_min_sync_period=7")
    assert "minSyncPeriod" in output
    assert still(lab, tmp_path) == stands


def test_one_worker_joins_and_the_others_are_left_alone(lab: Lab, stands: dict[str, Any], tmp_path: Path) -> None:
    """One command, as docs/running_again.md has it."""
    lab.play("playbooks/reset.yml", "--limit", "worker2", "-e", "reset_confirm=twinstack")
    assert "worker2" not in lab.kubectl("get nodes -o name")
    refused = lab.play("site.yml", "--limit", "worker2", ok=False)
    assert "Try: --limit 'localhost,worker2'" in " ".join(refused.split())
    output = lab.play("site.yml", "--limit", "localhost,worker2", "--skip-tags", "verify")
    assert set(lab.changed(output)) <= {"localhost", "worker2"}
    assert "worker2" in lab.kubectl("wait --for condition=Ready node/worker2")
    after = still(lab, tmp_path)
    assert {host: after[host] for host in ("cp1", "worker1")} == {host: stands[host] for host in ("cp1", "worker1")}
