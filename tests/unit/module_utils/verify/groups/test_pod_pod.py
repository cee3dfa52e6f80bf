"""Group pod-pod: every pod answers every other with its own name."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import pod_pod
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe, Verdict

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, first, plain, red, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster


def named(probe: Probe) -> list[str]:
    """The answer of the right pod."""
    action = probe.action
    assert isinstance(action, Fetch)
    return answer(first(action.bodies))


def test_every_pod_gets_requests_by_each_of_its_addresses() -> None:
    probes = probes_of(pod_pod.GROUP, plain())
    assert urls(probes) == {
        "pod-pod/IPv4/cp1/cp1": "http://10.244.1.5:8080/hostname",
        "pod-pod/IPv4/cp1/worker1": "http://10.244.2.4:8080/hostname",
        "pod-pod/IPv4/worker1/cp1": "http://10.244.1.4:8080/hostname",
        "pod-pod/IPv4/worker1/worker1": "http://10.244.2.5:8080/hostname",
        "pod-pod/IPv6/cp1/cp1": "http://[fd66:244:0:1::5]:8080/hostname",
        "pod-pod/IPv6/cp1/worker1": "http://[fd66:244:0:2::4]:8080/hostname",
        "pod-pod/IPv6/worker1/cp1": "http://[fd66:244:0:1::4]:8080/hostname",
        "pod-pod/IPv6/worker1/worker1": "http://[fd66:244:0:2::5]:8080/hostname",
    }
    assert all(probe.runner == f"pod/{probe.source}" for probe in probes.values())


def test_pods_are_probed_on_one_host_and_across_hosts() -> None:
    probes = probes_of(pod_pod.GROUP, raw_cluster())
    across, same = probes["pod-pod/IPv6/cp1/worker1"].action, probes["pod-pod/IPv6/cp1/cp1"].action
    assert across == Fetch("http://[fd66:244:0:2::4]:8080/hostname", bodies=frozenset({"pod-worker1"}))
    assert same == Fetch("http://[fd66:244:0:1::5]:8080/hostname", bodies=frozenset({"peer-cp1"}))


def test_silence_and_the_answer_of_another_pod_are_red_where_they_are_met() -> None:
    probes = probes_of(pod_pod.GROUP, plain())
    assert red(probes, named) == set()
    assert red(probes, named, "fd66:244:0:2::4") == {"pod-pod/IPv6/cp1/worker1"}
    assert red(probes, lambda _: answer("pod-cp1")) == {name for name in probes if not name.endswith("/worker1/cp1")}


def test_a_pod_without_an_address_of_a_family_is_red_in_that_family_alone() -> None:
    raw = plain()
    (pod,) = (item for item in raw["pods"] if item["metadata"]["name"] == "pod-cp1")
    del pod["status"]["podIPs"][1]
    assert failed(probes_of(pod_pod.GROUP, raw)) == {
        "pod-pod/IPv6/worker1/cp1": "not tried: pod pod-cp1 has no IPv6 address"
    }


def test_the_next_command_looks_at_both_nodes_in_the_family() -> None:
    probe = probes_of(pod_pod.GROUP, plain())["pod-pod/IPv6/cp1/worker1"]
    assert pod_pod.GROUP.next_command(probe, Verdict(False, "x")) == (
        "on cp1 and worker1: sysctl net.ipv6.conf.all.forwarding; ip -6 route"
    )
