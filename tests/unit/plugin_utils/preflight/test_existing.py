"""Our own cluster is no obstacle; another one is."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts

from tests.unit.plugin_utils.preflight.samples import SETTINGS, findings, fit_hosts, port


def test_our_own_cluster_is_no_obstacle_and_a_strange_program_on_its_port_is() -> None:
    hosts = fit_hosts()
    found = hosts[0].probe
    found["own"]["present"] = True
    found["stale"] = {"paths": ["/var/lib/etcd"], "links": ["kube-ipvs0"], "ipvs_services": 9}
    found["ports"] = port("tcp", 6443, "kube-apiserver") + port("udp", 4789, "")
    found["disk_free_gb"] = 2.0
    assert findings(hosts) == []
    found["ports"] = port("tcp", 6443, "nginx")
    assert findings(hosts) == [("error", "cp1", "port 6443/tcp")]


def test_a_host_of_another_cluster_of_ours_is_refused() -> None:
    hosts = fit_hosts()
    hosts[1].probe["own"].update(present=True, cluster="demo")
    assert findings(hosts) == []
    hosts[1].probe["own"]["cluster"] = "old"
    (finding,) = check_hosts(hosts, SETTINGS)
    assert (finding.where, finding.field, finding.found) == ("worker1", "cluster", "a host of cluster old")
    assert "reset_confirm=old" in finding.hint
