"""Power cuts: one host, then all of them, each followed by a cold boot and a run that ends green; damaged images."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Lab

# Names, and whether what is unpacked of an image is what was recorded of it when it came.
COUNT = """
import subprocess, sys
sys.path.insert(0, "/opt/twinstack/images")
import image_content as content
known = content.read(content.RECORD)
listed = subprocess.run([content.CTR, "--namespace", "k8s.io", "images", "ls"], capture_output=True, text=True).stdout
for name, _kind, digest in (line.split()[:3] for line in listed.splitlines()[1:]):
    if not name.startswith("sha256:"):
        print(name, known.get(digest) == content.unpacked(name))
"""


def test_what_hosts_unpacked_is_what_the_bundle_says(lab: Lab) -> None:
    """Else the first run after a power cut would import all images again, each time."""
    for host, least in (("cp1", 12), ("worker1", 16), ("worker2", 16)):
        lines = lab.shell(host, f"python3 - <<'END'\n{COUNT}\nEND").splitlines()
        assert len(lines) >= least
        assert [line for line in lines if not line.endswith(" True")] == []


def test_one_host_loses_power(lab: Lab) -> None:
    lab.play("playbooks/lab/host_power_off.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab/host_boot.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab/site.yml")
    assert lab.failed() == []


def test_all_hosts_lose_power(lab: Lab) -> None:
    for host in ("cp1", "worker1", "worker2"):
        lab.play("playbooks/lab/host_power_off.yml", "-e", f"lab_host={host}")
    lab.play("playbooks/lab/site.yml")
    assert lab.failed() == []


# Folder of the uppermost unpacked layer of the image whose name holds a word.
LAYER = """
import subprocess, sys
sys.path.insert(0, "/opt/twinstack/images")
import image_content as content
ctr = [content.CTR, "--namespace", "k8s.io"]
rows = subprocess.run([*ctr, "images", "ls"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
(digest,) = {row.split()[2] for row in rows if "WORD" in row.split()[0]}
key = content.chain(digest)[-1]
subprocess.run([*ctr, "snapshots", "view", "lab-look", key], check=True, capture_output=True)
subprocess.run([*ctr, "snapshots", "label", "lab-look", "containerd.io/gc.root=1"], check=True, capture_output=True)
mounts = [*ctr, "snapshots", "mounts", "/x", "lab-look"]
shown = subprocess.run(mounts, capture_output=True, text=True, check=True).stdout
subprocess.run([*ctr, "snapshots", "rm", "lab-look"], check=True)
words = shown.replace(",", " ").split()
print(next((word.split("=")[1].split(":")[0] for word in words if word.startswith("lowerdir=")), words[-2]))
"""
CTR = "/usr/local/bin/ctr --namespace k8s.io"
CONTAINERS = f"{CTR} tasks ls | awk 'NR > 1 && $3 == \"RUNNING\" {{print $1}}'"
NAMES = f"{CTR} images ls --quiet"
NODES = "playbooks/cluster/nodes.yml"


def layer(lab: Lab, word: str) -> str:
    """That folder on worker1."""
    found = lab.shell("worker1", f"python3 - <<'END'\n{LAYER.replace('WORD', word)}\nEND").strip()
    assert found.startswith("/var/lib/containerd/"), found
    return found


@pytest.fixture
def own_image(lab: Lab) -> Iterator[str]:
    """An image of a user's on worker1, and no look at images in this boot, as after each boot."""
    lab.shell("worker1", f"{CTR} images tag --force $({NAMES} | grep agnhost) user.test/own:1")
    lab.shell("worker1", "rm /run/twinstack/images.json")
    yield "user.test/own:1"
    lab.shell("worker1", f"{CTR} images rm user.test/own:1")


def test_a_damaged_image_is_replaced_alone(lab: Lab, own_image: str) -> None:
    """H5: containers of other images run on, and users' images stay."""
    before = set(lab.shell("worker1", CONTAINERS).split())
    lab.shell("worker1", f"touch {layer(lab, 'kube-proxy')}/added")
    told = lab.play(NODES, "--check", "--diff")
    assert "(damaged)" in told and "kube-proxy-" in told and "its container starts anew" in told
    assert set(lab.shell("worker1", CONTAINERS).split()) == before
    lab.play("site.yml")
    gone = before - set(lab.shell("worker1", CONTAINERS).split())
    assert len(gone) == 1, "only kube-proxy's container was to start anew"
    assert own_image in lab.shell("worker1", NAMES)
    lines = lab.shell("worker1", f"python3 - <<'END'\n{COUNT}\nEND").splitlines()
    assert [line for line in lines if not line.endswith(" True") and own_image not in line] == []
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []
    assert lab.changed(lab.play(NODES)) == {}


def test_an_image_that_cannot_be_mounted_is_an_error(lab: Lab, own_image: str) -> None:
    """H5: with ctr's own words, the users' images and the variable; nothing is emptied."""
    before = set(lab.shell("worker1", CONTAINERS).split())
    folder = layer(lab, "coredns")
    lab.shell("worker1", f"mv {folder} {folder}.lost")
    try:
        output = lab.play(NODES, ok=False)
        assert "coredns" in output and "mount: found ctr: " in output
        assert own_image in output and "containerd_recreate_store=true" in output
        assert set(lab.shell("worker1", CONTAINERS).split()) == before
    finally:
        lab.shell("worker1", f"mv {folder}.lost {folder}")
    lab.play(NODES)


def test_the_store_is_recreated_when_a_variable_says_so(lab: Lab, own_image: str) -> None:
    """The users' images are listed first; the cluster is green afterwards."""
    folder = layer(lab, "coredns")
    lab.shell("worker1", f"mv {folder} {folder}.lost")
    output = lab.play("site.yml", "-e", "containerd_recreate_store=true")
    assert "images in it that are not of the bundle, which are lost: " in output and own_image in output
    assert own_image not in lab.shell("worker1", NAMES)
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []
