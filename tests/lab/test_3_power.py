"""Power cuts: one host, then all of them, each followed by a cold boot and a run that ends green."""

from __future__ import annotations

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
    """Else the first run after a power cut would recreate all images, each time."""
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
