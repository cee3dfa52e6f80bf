"""Hosts that are not what they were, and nodes that nobody named, are found before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import membership

from tests.unit.plugin_utils.preflight.samples import Sample
from tests.unit.plugin_utils.preflight.standing_samples import api_node, bare, judged, of, without_api


def short(found: Any) -> list[tuple[str, str, str]]:
    """Level, where and field of findings."""
    return [(item.level, item.where, item.field) for item in found]


@pytest.mark.parametrize("begun", [False, True])
def test_another_machine_as_control_plane_is_refused(begun: bool) -> None:
    """It would begin a second, empty cluster; begun: another run has already begun that."""

    def swap(hosts: list[Sample]) -> None:
        if begun:
            of(hosts[0]).update(finished=False, cluster=None, ca_digest="other")
        else:
            bare(hosts[0])

    (finding,) = judged(swap)
    assert short([finding]) == [("error", "cp1", "control_plane")]
    assert finding.found == "cp1, which has no finished control plane, while worker1 are nodes of a cluster"
    assert "--limit worker1" in finding.hint


def test_the_former_control_plane_is_named_where_it_is_a_worker_now() -> None:
    def swap(hosts: list[Sample]) -> None:
        bare(hosts[0])
        of(hosts[1])["phase"] = "init"

    moved, other = judged(swap)
    assert short([moved, other]) == [("error", "worker1", "group"), ("error", "cp1", "control_plane")]
    assert other.expected == "worker1 that runs that cluster's control plane"


def test_an_unfinished_init_that_has_nodes_is_not_started_over() -> None:
    """Somebody went on by hand: a cluster stands there, whatever the record says."""

    def go_on(hosts: list[Sample]) -> None:
        of(hosts[0])["finished"] = False
        bare(hosts[1])

    (finding,) = judged(go_on)
    assert short([finding]) == [("error", "cp1", "/etc/twinstack/kubeadm.json")]
    assert finding.found == "an unfinished kubeadm init, and a cluster that worker1 joined"

    def alone(hosts: list[Sample]) -> None:
        go_on(hosts)
        of(hosts[0])["cluster"]["nodes"].pop()

    assert judged(alone) == []


def test_hosts_that_moved_between_groups_are_refused() -> None:
    def swap(hosts: list[Sample]) -> None:
        of(hosts[0])["phase"], of(hosts[1])["phase"] = "join", "init"

    found = judged(swap)
    assert short(found) == [("error", "cp1", "group"), ("error", "worker1", "group")]
    assert found[0].found == "group control_plane, but the host was made one of group worker (kubeadm join)"
    assert found[0].hint.startswith("move it back, or ") and "reset_confirm=demo --limit cp1" in found[0].hint


def test_a_record_that_cannot_be_read_is_refused() -> None:
    def damage(hosts: list[Sample]) -> None:
        of(hosts[1]).update(phase="", finished=False, error="no valid record")

    assert short(judged(damage)) == [("error", "worker1", "/etc/twinstack/kubeadm.json")]


@pytest.mark.parametrize("finished", [True, False])
def test_a_host_of_another_cluster_of_the_same_name_is_refused(finished: bool) -> None:
    """Also when its join was cut off: it would go on with the other CA."""
    (finding,) = judged(lambda hosts: of(hosts[1]).update(ca_digest="f00", finished=finished))
    assert short([finding]) == [("error", "worker1", "/etc/kubernetes/pki/ca.crt")]
    assert finding.expected == "the CA of cp1's cluster"


def test_a_host_of_a_cluster_of_another_name_has_one_finding() -> None:
    def other(hosts: list[Sample]) -> None:
        hosts[1].probe["own"]["cluster"] = "old"
        of(hosts[1]).update(ca_digest="f00", node_name="x")
        of(hosts[0])["cluster"]["nodes"].pop()

    assert short(judged(other)) == [("error", "worker1", "cluster")]


@pytest.mark.parametrize(
    ("node_ip", "family", "new", "old"),
    [
        (["10.66.0.77", "fd66::12"], "ipv4", "10.66.0.12", "10.66.0.77"),
        (["10.66.0.12", "fd66::77"], "ipv6", "fd66::12", "fd66::77"),
    ],
)
@pytest.mark.parametrize("api", [True, False])
def test_an_address_other_than_the_kubelets_is_refused(
    node_ip: list[str], family: str, new: str, old: str, api: bool
) -> None:
    def move(hosts: list[Sample]) -> None:
        of(hosts[1])["node_ip"] = node_ip
        if not api:
            without_api(hosts)

    (finding,) = judged(move)
    assert short([finding]) == [("error", "worker1", family)]
    assert finding.found == new and finding.expected.startswith(old)
    assert finding.hint.startswith(f"put {old} back; or ") and "--limit worker1, then site.yml" in finding.hint


def test_the_control_planes_address_takes_a_new_cluster() -> None:
    (finding,) = judged(lambda hosts: of(hosts[0]).update(node_ip=["10.66.0.77", "fd66::11"]))
    assert "for a new cluster, " in finding.hint and "--limit" not in finding.hint


def test_a_node_without_one_of_the_families_is_refused() -> None:
    (finding,) = judged(lambda hosts: of(hosts[1]).update(node_ip=["10.66.0.12"]))
    assert short([finding]) == [("error", "worker1", "ipv6")]


def test_another_name_than_the_nodes_is_refused_once() -> None:
    """Not as a node without a host and a host without a node too."""

    def rename(hosts: list[Sample]) -> None:
        of(hosts[1])["node_name"] = of(hosts[0])["cluster"]["nodes"][1]["name"] = "w1"

    (finding,) = judged(rename)
    assert short([finding]) == [("error", "worker1", "inventory_hostname")]
    assert finding.hint.startswith("name the host w1 in the inventory; or ")


def test_a_node_that_the_inventory_does_not_name_is_refused() -> None:
    (finding,) = judged(lambda hosts: of(hosts[0])["cluster"]["nodes"].append(api_node("n9", 9)))
    assert short([finding]) == [("error", "n9", "node")]
    assert "kubectl drain n9" in finding.hint and "kubectl delete node n9" in finding.hint


def test_hosts_that_this_run_was_limited_to_are_not_all_of_the_inventory() -> None:
    """A host of the inventory that was not looked at is no stranger."""
    assert judged(lambda hosts: hosts.pop()) == []
    assert judged(lambda hosts: hosts.pop(0)) == []


@pytest.mark.parametrize(("place", "name"), [(0, "cp1"), (1, "worker1")])
def test_a_host_that_joined_and_has_no_node_is_refused(place: int, name: str) -> None:
    (finding,) = judged(lambda hosts: of(hosts[0])["cluster"]["nodes"].pop(place))
    assert short([finding]) == [("error", name, "node")]
    assert "systemctl restart kubelet" in finding.hint
    assert ("reset.yml" in finding.hint) is (name == "worker1")


def test_a_cordon_and_a_users_taint_are_warnings_and_stay() -> None:
    def cordon(hosts: list[Sample]) -> None:
        own = {"key": "node.kubernetes.io/unschedulable", "value": "", "effect": "NoSchedule"}
        theirs = {"key": "gpu", "value": "a100", "effect": "NoExecute"}
        mild = {"key": "slow", "value": "", "effect": "PreferNoSchedule"}
        of(hosts[0])["cluster"]["nodes"][1].update(unschedulable=True, taints=[own, theirs, mild])

    cordoned, tainted = judged(cordon)
    assert short([cordoned, tainted]) == [("warning", "worker1", "node")] * 2
    assert (cordoned.found, tainted.found) == ("cordoned", "taint gpu=a100:NoExecute")
    assert "stays" in cordoned.expected and "stays" in tainted.expected
    assert tainted.hint == "kubectl taint node worker1 gpu:NoExecute-"


def test_kubernetes_own_taints_are_nobodys() -> None:
    def press(hosts: list[Sample]) -> None:
        taints = [{"key": key, "value": "", "effect": "NoSchedule"} for key in membership.OWN_TAINTS]
        of(hosts[0])["cluster"]["nodes"][1]["taints"] = taints

    assert judged(press) == []
