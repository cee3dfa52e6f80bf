"""Group node-port: one Service by every node's address, from outside and from other hosts."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import node_port
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch

from tests.unit.module_utils.verify.groups.two_nodes import answer, failed, plain, red, skips, urls
from tests.unit.module_utils.verify.samples import probes_of, raw_cluster

BETWEEN_HOSTS = {
    "node-port/IPv4/cp1/worker1": "http://10.66.0.12:30080/hostname",
    "node-port/IPv4/worker1/cp1": "http://10.66.0.11:30080/hostname",
    "node-port/IPv6/cp1/worker1": "http://[fd66::12]:30080/hostname",
    "node-port/IPv6/worker1/cp1": "http://[fd66::11]:30080/hostname",
}
FROM_OUTSIDE = {
    "node-port/IPv4/outside/cp1": "http://10.66.0.11:30080/hostname",
    "node-port/IPv4/outside/worker1": "http://10.66.0.12:30080/hostname",
    "node-port/IPv6/outside/cp1": "http://[fd66::11]:30080/hostname",
    "node-port/IPv6/outside/worker1": "http://[fd66::12]:30080/hostname",
}


def test_node_ports_get_requests_from_outside_and_from_other_hosts() -> None:
    probes = probes_of(node_port.GROUP, raw_cluster())
    assert probes["node-port/IPv6/outside/cp1"].runner == "outside"
    assert probes["node-port/IPv4/worker1/cp1"].runner == "host/worker1"
    assert "node-port/IPv4/cp1/cp1" not in probes
    action = probes["node-port/IPv6/outside/cp1"].action
    assert isinstance(action, Fetch)
    assert action.url == "http://[fd66::11]:30080/hostname"


def test_every_node_is_tried_in_both_families_and_without_an_outside_the_report_says_so() -> None:
    assert urls(probes_of(node_port.GROUP, plain())) == FROM_OUTSIDE | BETWEEN_HOSTS
    assert skips(node_port.GROUP, plain()) == []
    assert urls(probes_of(node_port.GROUP, plain(), outside=None)) == BETWEEN_HOSTS
    (why,) = skips(node_port.GROUP, plain(), outside=None)
    assert why.startswith("from outside: no place outside is given")


def test_a_node_whose_port_is_silent_is_red_from_everywhere_in_that_family() -> None:
    probes = probes_of(node_port.GROUP, plain())
    assert red(probes, lambda _: answer("pod-cp1")) == set()
    assert red(probes, lambda _: answer("pod-cp1"), "fd66::12") == {
        "node-port/IPv6/outside/worker1",
        "node-port/IPv6/cp1/worker1",
    }
    assert red(probes, lambda _: answer("nginx")) == set(probes), "whoever else has the port"


def test_a_service_without_a_node_port_and_a_node_without_an_address_are_named() -> None:
    raw = plain()
    (service,) = (item for item in raw["services"] if item["metadata"]["name"] == "node-port")
    del service["spec"]["ports"][0]["nodePort"]
    del raw["nodes"][1]["status"]["addresses"][1]
    found = failed(probes_of(node_port.GROUP, raw))
    assert set(found) == set(FROM_OUTSIDE | BETWEEN_HOSTS)
    assert {name for name, why in found.items() if why == "not tried: node worker1 has no IPv6 address"} == {
        "node-port/IPv6/outside/worker1",
        "node-port/IPv6/cp1/worker1",
    }
    assert found["node-port/IPv4/cp1/worker1"] == "not tried: the Service has no node port: none was given"
