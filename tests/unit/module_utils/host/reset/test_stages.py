"""A real reset inside throw-away namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import mounts
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages

from tests.unit.module_utils.host.reset.samples import record

COLLECTIONS = Path(__file__).resolve().parents[5] / "collections"
TOOLS = ("iptables-legacy-save", "ip6tables-legacy-save", "iptables-nft-save", "ip6tables-nft-save", "nft", "ipset")
NETWORK_STAGES = ("network namespace", "link", "firewall", "ipset", "route")
IN_NAMESPACE = """
import json, subprocess, sys
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot
stages = [stage for stage in reset_stages.STAGES if stage.kind in sys.argv[1].split(",")]
record = {"sysctls": {}, "files": {}, "packages": [], "modules": [], "swap": [], "units": {}}
def picture():
    return {name: part for name, part in snapshot.take().items() if name in ("links", "routes", "firewall", "ipsets")}
def shell(script):
    subprocess.run(["bash", "-euc", script], check=True)
shell(sys.argv[2])
before = picture()
shell(sys.argv[3])
dirty = picture()
planned = [" ".join(step) for step in reset_stages.plan(record, stages)]
untouched = snapshot.differences(dirty, picture())
kept = reset_stages.apply(record, stages)
print(json.dumps({
    "planned": planned, "untouched": untouched, "kept": kept, "dirt": snapshot.differences(before, dirty),
    "left": snapshot.differences(before, picture()), "again": reset_stages.plan(record, stages),
}))
"""
FOREIGN = """
    ip link set lo up
    ip link add host0 type dummy 2>/dev/null || ip link add host0 type bridge
    ip link set host0 addrgenmode none  # no link-local address that appears by itself later
    ip link set host0 up
    ip address add 10.66.0.11/24 dev host0
    ip address add fd66::11/64 dev host0 nodad
    iptables-legacy -A INPUT -s 192.0.2.7 -j DROP
    ip6tables-legacy -A INPUT -s 2001:db8::7 -j DROP
    iptables-nft -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
    nft add table inet mine
    nft add chain inet mine input '{ type filter hook input priority 5; }'
    nft add rule inet mine input tcp dport 25 drop
    ipset create theirs hash:ip
    ip route add blackhole 203.0.113.0/24
    ip -6 route add blackhole 2001:db8:1::/64
"""
CLUSTER = """
    ip link add caliabc type veth peer name eth9
    ip link add vxlan.calico type vxlan id 4096 dev host0 local 10.66.0.11 dstport 4789
    ip link add vxlan-v6.calico type vxlan id 4097 dev host0 local fd66::11 dstport 4789
    ip link set vxlan.calico addrgenmode none
    ip link set vxlan.calico up
    ip link add kube-ipvs0 type dummy 2>/dev/null || ip link add kube-ipvs0 type bridge
    ip route add blackhole 10.244.1.0/26 proto 80
    ip -6 route add blackhole fd66:244:0:1::/122 proto 80
    ip route add 10.244.2.0/26 via 10.66.0.12 dev host0 proto 80
    ip -6 route add fd66:244:0:2::/122 via fd66::12 dev host0 proto 80
    ipset create KUBE-LOOP-BACK hash:ip
    ipset create cali60all-ipam-pools hash:net family inet6
    ipset create cali40list list:set
    ipset create cali40member hash:ip
    ipset add cali40list cali40member
    for tool in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
      $tool -t nat -N KUBE-SERVICES
      $tool -t nat -A KUBE-SERVICES -j RETURN
      $tool -t nat -I PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
      $tool -N cali-INPUT
      $tool -I INPUT -m comment --comment cali:Cz_u1IQiXIMmKD4c -j cali-INPUT
      $tool -A FORWARD -m comment --comment cali:S93hcgKJrXEqnTfs -m mark --mark 0x10000/0x10000 -j ACCEPT
      $tool -t mangle -N KUBE-KUBELET-CANARY
    done
    nft add table ip kube-proxy
    nft add table ip6 kube-proxy
    nft add chain ip kube-proxy services
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS), reason="needs root and iptables, nft, ipset"
)
def test_links_routes_rules_and_sets_of_the_cluster_go_and_those_of_others_stay() -> None:
    scripts = [textwrap.dedent(FOREIGN), textwrap.dedent(CLUSTER)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", IN_NAMESPACE, ",".join(NETWORK_STAGES), *scripts],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["dirt"]) > 30  # else there was nothing to remove
    assert result["untouched"] == []  # planning changes nothing
    assert result["left"] == []
    assert result["kept"] == [] and result["again"] == []
    for step in ("link kube-ipvs0", "firewall ip6tables-nft nat", "firewall nft ip6 kube-proxy", "ipset cali40list"):
        assert step in result["planned"]


PRIVATE_MOUNTS = """
import json, pathlib, subprocess
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages
for folder in ("/etc", "/run", "/var", "/opt", "/usr/libexec", "/usr/local/bin"):
    if pathlib.Path(folder).is_dir():
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
pod = pathlib.Path("/var/lib/kubelet/pods/uid/volumes/token")
pod.mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "none", str(pod)], check=True)
(pod / "token").write_text("secret")
state = pathlib.Path("/var/lib/containerd")
state.mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "none", str(state)], check=True)  # the host's own file system
(state / "io.containerd").mkdir()
(state / "lost+found").mkdir()
disk = pathlib.Path("/var/lib/twinstack/prometheus/disk")  # and one that is bound from the same file system
disk.mkdir(parents=True)
source = pathlib.Path("/var/source")
source.mkdir()
(source / "metrics").write_text("x")
subprocess.run(["mount", "--bind", str(source), str(disk)], check=True)
(disk.parent / "beside").write_text("x")
store = pathlib.Path("/opt/twinstack/store")
store.mkdir(parents=True)
(store / "aa").write_text("kubelet")
pathlib.Path("/usr/local/bin/kubelet").symlink_to(store / "aa")
pathlib.Path("/usr/local/bin/theirs").write_text("x")
pathlib.Path("/etc/kubernetes/pki").mkdir(parents=True)
pathlib.Path("/etc/hosts").write_text("127.0.0.1 localhost\\n# BEGIN twinstack c\\nx\\n# END twinstack c\\n")
record = {**host_record.load(), "cluster": "c", "files": {"/etc/hosts": "MTI3LjAuMC4xIGxvY2FsaG9zdAo="}}
host_record.save(record)
kinds = ("mount", "directory", "file", "store", "record")
named = [str(state) + "/"]
refused = [reason.line() for reason in reset_stages.reasons(record, "", False, named)]
asked = [reason.where for reason in reset_stages.reasons(record, "", False, [])]
stages = [stage for stage in reset_stages.stages(named) if stage.kind in kinds]
assert reset_stages.is_ours()
planned = reset_stages.plan(record, stages)
reset_stages.apply(record, stages)
print(json.dumps({
    "refused": refused, "asked": asked, "metrics": (source / "metrics").exists(),
    "beside": (disk.parent / "beside").exists(), "disk": (disk / "metrics").exists(),
    "planned": planned, "ours": reset_stages.is_ours(), "again": reset_stages.plan(host_record.load(), stages),
    "kubelet": pathlib.Path("/var/lib/kubelet").exists(), "state": sorted(p.name for p in state.iterdir()),
    "state_mounted": state.is_mount(), "bin": sorted(p.name for p in pathlib.Path("/usr/local/bin").iterdir()),
    "etc": sorted(p.name for p in pathlib.Path("/etc").iterdir()), "hosts": pathlib.Path("/etc/hosts").read_text(),
}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount namespace")
def test_mounts_directories_files_and_the_record_go_and_a_second_reset_finds_nothing() -> None:
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", PRIVATE_MOUNTS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert ["mount", "/var/lib/kubelet/pods/uid/volumes/token"] in result["planned"]
    assert ["file", "/etc/hosts"] in result["planned"]
    assert result["ours"] is False and result["again"] == []
    assert result["kubelet"] is False
    assert result["state_mounted"] is True and result["state"] == ["lost+found"]
    # H6: what nobody named refuses before anything is undone, and is kept even where nobody asks.
    assert result["asked"] == ["/var/lib/containerd", "/var/lib/twinstack/prometheus/disk"]
    (line,) = result["refused"]
    assert line.startswith("/var/lib/twinstack/prometheus/disk: mount: found data on ") and "reset_mounts" in line
    assert (result["disk"], result["metrics"], result["beside"]) == (True, True, False)
    assert result["bin"] == ["theirs"]
    assert result["etc"] == ["hosts"] and result["hosts"] == "127.0.0.1 localhost\n"


@pytest.mark.parametrize(
    ("here", "given", "without_record", "found"),
    [
        ("twinstack", "twinstack", False, []),
        ("twinstack", "", False, []),
        ("other", "twinstack", False, ["other"]),
        ("other", "twinstack", True, ["other"]),
        ("", "twinstack", False, ["no name"]),
        ("", "twinstack", True, []),
    ],
    ids=[
        "its name",
        "check mode",
        "another name",
        "another name and no record wanted",
        "no name",
        "no name is allowed",
    ],
)
def test_a_host_of_another_cluster_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, given: str, without_record: bool, found: list[str]
) -> None:
    """H6: the name is compared with that of the host's record, before anything is undone."""
    monkeypatch.setattr(host_record, "RECORD_PATH", str(tmp_path / "host.json"))
    host_record.save(record(cluster=here), host_record.RECORD_PATH)
    monkeypatch.setattr(mounts, "find_foreign", lambda _folders: [])
    reasons = reset_stages.reasons(host_record.load(host_record.RECORD_PATH), given, without_record, [])
    assert [reason.found for reason in reasons] == found
    if found == ["other"]:
        assert "reset_confirm=other" in reasons[0].hint and reasons[0].expected == "twinstack"


def test_without_a_record_only_what_was_sent_first_is_ours() -> None:
    """An install that ended after it had sent artifacts has touched nothing of what others have on the host."""
    assert [stage.kind for stage in reset_stages.stages(recorded=False)] == ["store", "record"]
