"""verify_unchanged: what is a change since the last verification, and what is checked when there is none."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import fingerprint

READY = {"type": "Ready", "status": "True", "lastHeartbeatTime": "1", "lastTransitionTime": "0"}
HTTP = {"name": "http", "port": 80, "nodePort": 30080}
RAW: dict[str, Any] = {
    "namespaces": [
        {"metadata": {"name": "kube-system"}},
        {"metadata": {"name": "tenant"}},
        {"metadata": {"name": "twinstack-verify", "labels": {"twinstack.core/verify": "true"}}},
    ],
    "nodes": [
        {
            "metadata": {"name": "one", "uid": "n1"},
            "spec": {"podCIDRs": ["10.0.0.0/24", "fd00::/64"]},
            "status": {
                "nodeInfo": {"bootID": "b1"},
                "addresses": [
                    {"type": "InternalIP", "address": "192.0.2.1"},
                    {"type": "InternalIP", "address": "2001:db8::1"},
                    {"type": "Hostname", "address": "one"},
                ],
                "conditions": [
                    {"type": "Ready", "status": "True", "lastHeartbeatTime": "1", "lastTransitionTime": "0"}
                ],
            },
        }
    ],
    "pods": [
        {
            "metadata": {"namespace": "kube-system", "name": "dns", "uid": "p1"},
            "spec": {"nodeName": "one"},
            "status": {
                "phase": "Running",
                "podIPs": [{"ip": "10.0.0.5"}, {"ip": "fd00::5"}],
                "containerStatuses": [{"name": "dns", "restartCount": 0, "ready": True}],
            },
        },
        {
            "metadata": {"namespace": "kube-system", "name": "proxy", "uid": "p2"},
            "spec": {"hostNetwork": True},
            "status": {"phase": "Running", "podIPs": [{"ip": "192.0.2.1"}]},
        },
        {
            "metadata": {"namespace": "tenant", "name": "web", "uid": "p3"},
            "spec": {},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.6"}, {"ip": "fd00::6"}]},
        },
    ],
    "services": [
        {
            "metadata": {"namespace": "kube-system", "name": "dns", "uid": "s1"},
            "spec": {
                "clusterIPs": ["10.1.0.10", "fd01::a"],
                "ports": [
                    {"name": "tcp", "port": 53, "protocol": "TCP"},
                    {"name": "udp", "port": 53, "protocol": "UDP"},
                    {"name": "nobody", "port": 9},
                ],
            },
        },
        {
            "metadata": {"namespace": "tenant", "name": "gateway", "uid": "s2"},
            "spec": {
                "clusterIPs": ["10.1.0.11", "fd01::b"],
                "ports": [{"name": "http", "port": 80, "nodePort": 30080}],
            },
        },
    ],
    "slices": [
        {
            "metadata": {"namespace": space, "labels": {"kubernetes.io/service-name": name}},
            "addressType": family,
            "endpoints": [{"conditions": {"ready": True}}],
            "ports": [{"name": port}],
        }
        for space, name, port in (("kube-system", "dns", "tcp"), ("tenant", "gateway", "http"))
        for family in ("IPv4", "IPv6")
    ],
    "policies": [{"metadata": {"namespace": "tenant", "name": "deny", "uid": "q1", "generation": 1}}],
    "pools": [{"metadata": {"name": "default"}, "spec": {"cidr": "10.0.0.0/16"}}],
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, str]:
    """The state after a change."""
    raw = copy.deepcopy(RAW)
    change(raw)
    return fingerprint.state(raw)


def test_what_only_shows_the_time_or_comes_and_goes_with_a_verification_is_no_change() -> None:
    same = fingerprint.state(RAW)
    own = {"metadata": {"namespace": "twinstack-verify", "name": "a", "uid": "x"}, "spec": {}, "status": {}}
    assert changed(lambda raw: raw["nodes"][0]["status"]["conditions"][0].update(lastHeartbeatTime="2")) == same
    assert changed(lambda raw: raw["pods"].insert(0, own)) == same
    assert changed(lambda raw: raw["pods"].reverse()) == same


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["nodes"][0]["status"]["nodeInfo"].update(bootID="b2"),
        lambda raw: raw["nodes"][0]["status"]["conditions"][0].update(lastTransitionTime="5"),
        lambda raw: raw["nodes"][0]["spec"].update(podCIDRs=["10.0.0.0/24"]),
        lambda raw: raw["nodes"].pop(),
        lambda raw: raw["pods"][0]["status"]["containerStatuses"][0].update(restartCount=1),
        lambda raw: raw["pods"][0]["status"]["podIPs"].pop(),
        lambda raw: raw["services"][0]["spec"]["clusterIPs"].pop(),
        lambda raw: raw["pools"].clear(),
        lambda raw: raw["policies"][0]["metadata"].update(generation=2),
    ],
)
def test_everything_else_is_a_change(change: Callable[[dict[str, Any]], Any]) -> None:
    assert changed(change) != fingerprint.state(RAW)


def test_endpoints_are_in_both_families_what_hosts_may_reach() -> None:
    """Not to pods in a host's network, to UDP, to ports without an endpoint, nor behind network policies."""
    found = [(one["name"], one["address"], one["port"]) for one in fingerprint.endpoints(RAW)]
    assert found == [
        ("pod kube-system/dns", "10.0.0.5", 0),
        ("pod kube-system/dns", "fd00::5", 0),
        ("Service kube-system/dns", "10.1.0.10", 53),
        ("Service kube-system/dns", "fd01::a", 53),
        ("node port of tenant/gateway", "192.0.2.1", 30080),
        ("node port of tenant/gateway", "2001:db8::1", 30080),
    ]
    assert [one["family"] for one in fingerprint.endpoints(RAW)] == ["IPv4", "IPv6"] * 3


def test_a_node_without_a_pod_that_hosts_may_reach_is_not_covered() -> None:
    assert fingerprint.uncovered(RAW) == []
    raw = copy.deepcopy(RAW)
    raw["pods"] = [item for item in raw["pods"] if item["metadata"]["name"] != "dns"]
    assert fingerprint.uncovered(raw) == ["one"], "neither a pod of the host's network nor one behind policies counts"


def run(status: str) -> dict[str, Any]:
    """A run that goes on, with one task that ended so."""
    task = {"name": "T", "hosts": {"one": {"status": status}}}
    return {"finished": False, "phases": [{"roles": [{"tasks": [task]}]}]}


def test_a_verification_holds_only_while_nothing_has_changed() -> None:
    found = {"pods a/b": "1"}
    good = {"ok": True, "state": found}
    assert fingerprint.changed_since(good, run("ok"), found) == ""
    assert "no verification" in fingerprint.never_verified({})
    assert "no verification" in fingerprint.never_verified(good | {"ok": False})
    assert fingerprint.changed_since(good, run("ok"), {"pods a/b": "2", "pods a/c": "1"}).endswith(
        "pods a/b and 1 more"
    )
    assert fingerprint.changed_since(good, run("ok"), {}).endswith(": pods a/b")
    assert "changed since the last verification" in fingerprint.changed_since({"ok": True}, run("ok"), found), (
        "a report of an older version"
    )
    assert fingerprint.never_verified(good, ["S1"]).endswith("no verification of S1")
    assert fingerprint.never_verified(good | {"scenarios": [{"id": "S1"}]}, ["S1"]) == ""
    assert "T on one" in fingerprint.changed_since(good, run("changed"), found)
    assert "T on one" in fingerprint.changed_since(good, run("failed"), found)
    assert "run_report" in fingerprint.changed_since(good, {}, found)
    assert "run_report" in fingerprint.changed_since(good, run("ok") | {"finished": True}, found)
