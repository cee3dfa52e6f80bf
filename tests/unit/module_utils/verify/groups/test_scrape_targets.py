"""Group scrape-targets: everything that Prometheus looks at answers."""

from __future__ import annotations

from urllib.parse import unquote

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import scrape_targets
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import piece, probes_of, raw_observed, service

# On two nodes, one of them the control plane; "1" is the answer where nothing but "all are up" can be expected.
WANTED = {
    "nodes": 2,
    "services": 1,
    "proxies": 1,
    "istiod": 1,
    "istio-cni": 2,
    "coredns": 2,
    "kubelet": 2,
    "pods": 2,
    "felix": 2,
    "api-server": 1,
    "prometheus": 1,
    "ipvs": 1,
}


def value(number: int) -> list[str]:
    """Prometheus' answer with one number."""
    return answer(f'{{"data":{{"result":[{{"metric":{{}},"value":[17.2,"{number}"]}}]}}}}')


def told(probe: Probe) -> list[str]:
    """What Prometheus answers when every target of two nodes is up."""
    return value(WANTED[probe.target])


def test_every_job_is_looked_at_by_prometheus_address_of_each_family() -> None:
    probes = probes_of(scrape_targets.GROUP, observed())
    assert set(probes) == {f"scrape-targets/{family}/{what}" for family in ("IPv4", "IPv6") for what in WANTED}
    for name, where in urls(probes).items():
        address = {"IPv4": "10.96.8.0", "IPv6": "[fd66:96::800]"}[probes[name].family]
        assert where.startswith(f"http://{address}:9090/api/v1/query?query=")
    for what in ("nodes", "services"):
        for family, other in (("IPv4", "IPv6"), ("IPv6", "IPv4")):
            asked = unquote(urls(probes)[f"scrape-targets/{family}/{what}"])
            assert f'ip_family="{family}"' in asked and other not in asked
    assert probes_of(scrape_targets.GROUP, meshed()) == {}, "no Prometheus"


def test_ipvs_is_looked_at_where_kube_proxy_uses_it() -> None:
    raw = observed()
    raw["kube_proxy"]["mode"] = "nftables"
    assert {probe.target for probe in probes_of(scrape_targets.GROUP, raw).values()} == set(WANTED) - {"ipvs"}


def test_so_many_targets_as_there_are_pods_must_answer() -> None:
    raw = raw_observed()
    raw["services"].append(
        service("istiod-stable", "istio-system", ["10.96.6.1"], [{"name": "https-dns", "port": 15012}])
    )
    raw["slices"].append(
        piece("istiod-stable", "istio-system", ["10.244.2.9", "10.244.3.9"], [("https-dns", 15012, "TCP")])
    )
    wanted = {
        probe.target: probe.action.contains[0]
        for probe in probes_of(scrape_targets.GROUP, raw).values()
        if probe.family == "IPv6" and isinstance(probe.action, Fetch)
    }
    assert (wanted["istiod"], wanted["coredns"], wanted["istio-cni"], wanted["api-server"]) == (
        ',"2"]',
        ',"2"]',
        ',"3"]',
        ',"1"]',
    )


def test_targets_that_went_while_prometheus_did_not_run_count_for_none() -> None:
    """Else every cold boot is red for five minutes: a pod that came back has another address."""
    probes = probes_of(scrape_targets.GROUP, raw_observed()).values()
    asked = [probe.action.url for probe in probes if isinstance(probe.action, Fetch)]
    assert len(asked) > 20 and all("timestamp%28up" in url and "process_start_time_seconds" in url for url in asked)


def test_a_node_that_does_not_answer_over_ipv6_is_red_in_ipv6_alone() -> None:
    probes = probes_of(scrape_targets.GROUP, observed())
    assert red(probes, told) == set()
    one_lacks = {"scrape-targets/IPv6/nodes"}
    assert red(probes, lambda probe: value(1) if probe.id in one_lacks else told(probe)) == one_lacks
    assert red(probes, lambda probe: value(0)) == set(probes)


def test_prometheus_without_an_address_of_the_family_is_red_in_it() -> None:
    found = failed(probes_of(scrape_targets.GROUP, without_address(observed(), "prometheus", "IPv6")))
    assert set(found) == {f"scrape-targets/IPv6/{what}" for what in WANTED}
    assert set(found.values()) == {"not tried: prometheus has no IPv6 address"}
