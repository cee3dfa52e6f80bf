"""Disk, swap, and ports with their owners."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import resources
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts

from tests.unit.plugin_utils.preflight.samples import SETTINGS, findings, fit_hosts, port


@pytest.mark.parametrize(
    ("host", "size", "wrong"), [("worker1", "51GB", True), ("worker1", "50GB", False), ("", "9TB", False)]
)
def test_metrics_that_are_kept_fit_on_their_hosts_disk(host: str, size: str, wrong: bool) -> None:
    settings = replace(SETTINGS, metrics_host=host, metrics_size=size)
    found = check_hosts(fit_hosts(), settings)
    assert [(one.where, one.field) for one in found] == [
        ("worker1", "disk for observability_prometheus_storage_path")
    ] * wrong
    assert all("observability_prometheus_retention_size, 51GB" in one.expected for one in found)


def test_control_plane_ports_do_not_matter_on_a_worker() -> None:
    hosts = fit_hosts()
    hosts[1].probe["ports"] = port("tcp", 6443, "nginx")
    assert findings(hosts) == []


def test_the_apis_port_is_the_inventorys() -> None:
    hosts = fit_hosts()
    hosts[0].probe["own"]["present"] = True
    hosts[0].probe["ports"] = port("tcp", 7443, "kube-apiserver")
    assert findings(hosts, replace(SETTINGS, api_port=7443)) == []
    hosts[0].probe["ports"] = port("tcp", 7443, "nginx")
    assert findings(hosts, replace(SETTINGS, api_port=7443)) == [("error", "cp1", "port 7443/tcp")]
    hosts[1].probe["ports"] = port("tcp", 7443, "nginx")
    assert len(findings(hosts, replace(SETTINGS, api_port=7443))) == 1, "no worker has it"


def test_swap_is_an_error_only_when_nobody_turns_it_off() -> None:
    hosts = fit_hosts()
    hosts[0].probe["swap"] = ["/dev/sda2"]
    assert findings(hosts) == []
    assert findings(hosts, replace(SETTINGS, swap_is_turned_off=False)) == [("error", "cp1", "swap")]


def test_every_watched_port_has_an_owner() -> None:
    """A port without one would end the check of a built cluster with an error of our own."""
    watched = {(protocol, port) for protocol, ports in host_probe_network.PORTS.items() for port in ports}
    assert watched <= set(resources.OWN_PROGRAMS)
