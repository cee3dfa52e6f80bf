"""One thing broken at a time: exactly the right probes must fail, in exactly the right family."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.conftest import Lab

Until = Callable[..., None]
Failure = tuple[str, str, str, str]  # group, family, from, to
HOSTS = ("cp1", "worker1", "worker2")
PODS = {"pod-pod", "large-packet"}  # groups whose probes go from one pod to another without any Service
BALANCED = {"cluster-ip", "node-port", "headless", "dns"}  # chance decides whether a request meets a broken host


def failures(lab: Lab) -> list[dict[str, Any]]:
    """The failed probes of a verification that must fail. What is broken does not mend itself: no long wait for it."""
    output = lab.play("playbooks/verify.yml", "-e", "verify_settle_timeout=12", ok=False)
    failed = lab.failed()
    assert failed, output
    assert all(probe["next"] for probe in failed), "a failed probe names no next command"
    assert "FAILED" in output, "the screen does not name what failed"
    return failed


def broken(lab: Lab) -> list[Failure]:
    """The same, in short."""
    return [(probe["group"], probe["family"], probe["from"], probe["to"]) for probe in failures(lab)]


def families(found: list[Failure]) -> set[str]:
    """Families in which something failed."""
    return {family for _group, family, _source, _target in found}


def groups(found: list[Failure]) -> set[str]:
    """Groups in which something failed."""
    return {group for group, _family, _source, _target in found}


def paths(found: list[Failure], group: str) -> set[tuple[str, str]]:
    """From and to of a group's failures."""
    return {(source, target) for name, _family, source, target in found if name == group}


def paths_of(host: str, alone: bool) -> set[tuple[str, str]]:
    """Every path between hosts that begins or ends at one of them. alone: that within it too."""
    return {(one, other) for one in HOSTS for other in HOSTS if host in (one, other) and (alone or one != other)}


def test_verify_is_green_before_anything_is_broken(lab: Lab) -> None:
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_forwarding_of_one_family_off_on_one_host(lab: Lab, family: str) -> None:
    key = f"net.{family.lower()}.conf.all.forwarding"
    script = f"sysctl -w {key}=0"
    if family == "IPv4":
        script += "; for f in /proc/sys/net/ipv4/conf/*/forwarding; do echo 0 > $f; done"
    try:
        lab.shell("worker1", script)
        found = broken(lab)
    finally:
        lab.shell("worker1", f"sysctl -w {key}=1")
    # CoreDNS on worker1 hears of new Services by the API's own Service, which is IPv4: without it, it does not know
    # them over either transport.
    deaf = {"dns", "headless"} if family == "IPv4" else set()
    assert families([item for item in found if item[0] not in deaf]) == {family}
    # Calico's plugin turns IPv4 forwarding on for each new pod's link, so within the host pods still reach each other.
    assert paths(found, "pod-pod") == paths_of("worker1", alone=family == "IPv6")
    assert paths(found, "large-packet") == paths_of("worker1", alone=False)
    assert paths(found, "egress") == {("worker1", target) for target in ("cp1", "worker2", "outside")}
    assert {source for source, _target in paths(found, "api-server")} == {"worker1"}
    assert groups(found) <= PODS | BALANCED | {"egress", "api-server"}


def test_kube_proxy_stopped_on_one_host(lab: Lab, until: Until) -> None:
    # No kube-proxy at all on worker2, and its state gone as after a reboot without it.
    lab.kubectl("label node worker2 twinstack.test/no-proxy=1 --overwrite")
    terms = {"matchExpressions": [{"key": "twinstack.test/no-proxy", "operator": "DoesNotExist"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [terms]}}
    selector = json.dumps({"spec": {"template": {"spec": {"affinity": {"nodeAffinity": required}}}}})
    pods = "get pods -n kube-system -l k8s-app=kube-proxy --field-selector spec.nodeName=worker2 -o name"
    try:
        lab.kubectl(f"-n kube-system patch daemonset kube-proxy --type merge -p '{selector}'")
        until(lambda: not lab.kubectl(pods).strip(), 90, "kube-proxy leaves worker2")
        lab.shell("worker2", "ipvsadm --clear; ip link delete kube-ipvs0")
        found = broken(lab)
    finally:
        empty = '{"spec":{"template":{"spec":{"affinity":null}}}}'
        lab.kubectl(f"-n kube-system patch daemonset kube-proxy --type merge -p '{empty}'")
        lab.kubectl("label node worker2 twinstack.test/no-proxy-")
    assert families(found) == {"IPv4", "IPv6"}
    assert groups(found) >= {"kube-proxy", "cluster-ip"}
    assert "host-host" not in groups(found)
    # Calico's plugin reaches the API through kube-proxy, so new pods do not start on worker2. Nor does a CoreDNS there
    # hear of new Services, and other hosts may query that one. Nothing else may fail.
    assert [item for item in found if "worker2" not in item and item[0] not in {"dns", "headless"}] == []
    assert {source for source, _target in paths(found, "kube-proxy")} == {"worker2"}
    until(lambda: "1/1" in lab.kubectl(pods.replace("-o name", "")), 120, "kube-proxy is back on worker2")


def test_dns_without_its_ipv6_address(lab: Lab) -> None:
    narrow = '{"spec":{"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIPs":["10.96.0.10"]}}'
    try:
        lab.kubectl(f"-n kube-system patch service kube-dns --type merge -p '{narrow}'")
        found = broken(lab)
    finally:
        lab.play("site.yml", "--tags", "calico")
    assert families(found) == {"IPv6"}
    assert groups(found) <= {"dns", "headless", "kube-proxy"}
    assert {source for source, _target in paths(found, "dns")} == set(HOSTS)
    assert {target for _source, target in paths(found, "kube-proxy")} <= {"kube-system-kube-dns"}


def test_without_an_ipv6_pool(lab: Lab) -> None:
    try:
        lab.kubectl("delete ippools.crd.projectcalico.org default-ipv6-ippool")
        failed = failures(lab)
    finally:
        lab.play("site.yml", "--tags", "calico")
    # Calico starts no pod at all that lacks an address of one family. What could not be tried for that reason says so
    # in both families; what was tried and failed is IPv6 alone.
    tried = [probe for probe in failed if not probe["detail"].startswith("not tried")]
    assert {probe["family"] for probe in tried} == {"IPv6"}, tried
    assert any(probe["group"] == "addresses" and probe["to"] == "pool" for probe in tried)
    assert all("pool" in probe["detail"] for probe in failed if probe not in tried)


@pytest.fixture(scope="module")
def always_encapsulated(lab: Lab) -> Iterator[None]:
    """Pod traffic between hosts in VXLAN packets, even on one link."""
    lab.play("site.yml", "--tags", "calico", "-e", "twinstack_encapsulation=VXLAN")
    yield
    lab.play("site.yml", "--tags", "calico")


@pytest.mark.usefixtures("always_encapsulated")
@pytest.mark.parametrize(("family", "table"), [("IPv4", "ip"), ("IPv6", "ip6")])
def test_vxlan_of_one_family_blocked_with_encapsulation_forced(lab: Lab, family: str, table: str) -> None:
    # Before Calico's own rules, which accept VXLAN from the cluster's hosts.
    chain = f"{table} block pre '{{ type filter hook prerouting priority -400; }}'"
    script = (
        f"nft add table {table} block && nft add chain {chain} && nft add rule {table} block pre udp dport 4789 drop"
    )
    try:
        lab.shell("worker1", script)
        found = broken(lab)
    finally:
        lab.shell("worker1", f"nft delete table {table} block", ok=False)
    assert families(found) == {family}
    assert paths(found, "pod-pod") == paths_of("worker1", alone=False)
    assert paths(found, "large-packet") == paths_of("worker1", alone=False)
    assert groups(found) <= PODS | BALANCED


def test_verify_is_green_after_everything_was_mended_and_leaves_nothing(lab: Lab) -> None:
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []
    assert "twinstack-verify" not in lab.kubectl("get namespaces -o name")


def test_a_path_that_breaks_without_a_trace_is_found_by_a_run_that_changes_nothing(lab: Lab) -> None:
    """The API shows nothing of it, and no role looks at it: only the connectivity check shows it."""
    rule = "FORWARD -d fd66:244::/56 -j DROP"
    again = lab.play("site.yml")
    assert "unchanged since" in again, "a verification that still holds is not repeated"
    lab.shell("worker2", f"ip6tables -I {rule}")
    try:
        output = lab.play("site.yml", "-e", "verify_settle_timeout=12", ok=False)
    finally:
        lab.shell("worker2", f"ip6tables -D {rule}")
    assert "everything is verified again: cp1 does not reach" in output
    assert {probe["family"] for probe in lab.failed()} == {"IPv6"}
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []
