"""From bare disks to a verified cluster in both orders of the families, interrupted once; then a second run."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import BY_ID, ids

from tests.lab.conftest import ARTIFACTS, PLAYBOOK, REPO, Lab, environment, kill

Molecule = Callable[..., str]


def test_the_mesh_from_bare_disks_ipv6_first(lab: Lab, molecule: Molecule) -> None:
    """The whole of it, with the mesh: check, install, again, verification."""
    molecule("ipv6_first", "reset")
    molecule("ipv6_first", "test", "--destroy=never")
    report = lab.report()
    assert report["ok"], lab.failed()
    assert report["settings"]["primary_family"] == "ipv6"
    for family in ("IPv4", "IPv6"):
        assert {probe["group"] for probe in report["probes"] if probe["family"] == family} == set(BY_ID)


def test_an_interrupted_run_continues_to_green(lab: Lab, molecule: Molecule, tmp_path: Path) -> None:
    """IPv4 first from bare disks, killed in the middle of kubeadm init."""
    molecule("ipv4_first", "reset")
    molecule("ipv4_first", "create")
    lab.before = lab.pictures(tmp_path)
    with subprocess.Popen(
        [str(PLAYBOOK), "-i", "inventory/lab", "site.yml", *lab.settings()],
        cwd=REPO,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        deadline = time.monotonic() + 300
        while "init" not in lab.shell("cp1", "cat /etc/twinstack/kubeadm.json || true"):
            assert time.monotonic() < deadline, "kubeadm init never started"
            time.sleep(1)
        time.sleep(4)
        kill(run.pid)
    lab.shell("cp1", "pkill --exact kubeadm || true")
    molecule("ipv4_first", "converge")
    report = lab.report()
    assert report["ok"], lab.failed()
    per_family = {family: [p for p in report["probes"] if p["family"] == family] for family in ("IPv4", "IPv6")}
    for family, probes in per_family.items():
        assert {probe["group"] for probe in probes} == set(ids(Part.CLUSTER)), f"{family}: a group was not probed"
    assert report["skipped"] == []


def test_the_second_run_changes_nothing_and_does_little(lab: Lab) -> None:
    """At most 6 SSH executions per host and role when nothing is to be done: counted, not timed."""
    assert lab.changed(lab.play("site.yml", "--skip-tags", "verify")) == {}
    record = lab.run_record()
    counts = record["ssh_executions_by_role"]
    assert {"preflight", "node_prep", "containerd", "kubeadm"} <= set(counts)
    assert max(count for hosts in counts.values() for count in hosts.values()) <= 6, counts
    assert record["tasks"] <= 80


def test_make_lab_again_changes_nothing_and_ends_with_the_summary(lab: Lab) -> None:
    output = lab.play("playbooks/lab/site.yml")
    assert lab.changed(output) == {}
    last = output.rpartition("PLAY RECAP")[2]
    assert re.search(r"^pod-pod +9/9 +9/9$", last, re.MULTILINE)
    assert f"report: {ARTIFACTS}/report.html" in last
    assert f"kubeconfig: {ARTIFACTS}/kubeconfig" in last


def test_check_mode_on_a_built_cluster_changes_nothing(lab: Lab) -> None:
    assert lab.changed(lab.play("site.yml", "--check", "--diff")) == {}


def test_check_mode_tells_what_a_run_then_does(lab: Lab) -> None:
    """A changed sysctl and an edited object: reported, left alone, then repaired."""
    key = "fs.inotify.max_user_instances"  # one that nothing in the cluster sets again by itself
    wanted = lab.shell("worker1", f"sysctl -n {key}; sysctl -qw {key}=512").split()[-1]
    lab.kubectl(
        'patch ippools.crd.projectcalico.org default-ipv4-ippool --type merge -p \'{"spec":{"natOutgoing":false}}\''
    )
    try:
        told = lab.play("site.yml", "--check", "--diff", "--skip-tags", "verify")
        assert lab.shell("worker1", f"sysctl -n {key}").split()[-1] == "512"
        assert set(lab.changed(told)) == {"worker1", "localhost"}
        assert key in told
        assert "default-ipv4-ippool" in told
    finally:
        mended = lab.play("site.yml", "--skip-tags", "verify")
    assert set(lab.changed(mended)) == {"worker1", "localhost"}
    assert lab.shell("worker1", f"sysctl -n {key}").split()[-1] == wanted


def test_no_secret_is_in_what_a_run_leaves(lab: Lab) -> None:
    """Private keys and join tokens: in no file that runs left but the kubeconfig, and on no screen, even with -vvv."""
    config = yaml.safe_load((ARTIFACTS / "kubeconfig").read_text())
    key = config["users"][0]["user"]["client-key-data"]
    # A part of the key that is the same text whatever offset it had when it was encoded once more.
    inner = [base64.b64encode(b"x" * shift + key.encode()).decode()[8:88] for shift in range(3)]
    screen = lab.play("site.yml", "-vvv", "--skip-tags", "verify")
    texts = {
        path: path.read_text(errors="replace") for path in ARTIFACTS.rglob("*") if path.suffix in (".json", ".html")
    }
    texts |= {path: path.read_text(errors="replace") for path in ARTIFACTS.rglob("*.xml")}
    assert texts
    texts[Path("the screen")] = screen
    for path, text in texts.items():
        assert "PRIVATE KEY" not in text, path
        assert key not in text, path
        assert not any(part in text for part in inner), path
        assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", text), f"{path}: a bootstrap token"
    assert (ARTIFACTS / "kubeconfig").stat().st_mode & 0o077 == 0
