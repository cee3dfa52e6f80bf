"""Group mesh-graph: Kiali draws this verification's requests."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_graph

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import RUN, SPACE, probes_of


def graph(version: str = RUN, mtls: str = "100") -> list[str]:
    """What Kiali answers."""
    return answer(f'{{"nodes": [{{"version": "{version}"}}], "edges": [{{"isMTLS": "{mtls}"}}]}}')


def test_kiali_is_queried_by_its_address_of_each_family_about_the_namespace_in_the_mesh() -> None:
    probes = probes_of(mesh_graph.GROUP, observed())
    found = urls(probes)
    path = f"/kiali/api/namespaces/graph?namespaces={SPACE}&graphType=versionedApp"
    assert set(found) == {"mesh-graph/IPv4/kiali", "mesh-graph/IPv6/kiali"}
    assert found["mesh-graph/IPv4/kiali"].startswith(f"http://10.96.8.2:20001{path}&")
    assert found["mesh-graph/IPv6/kiali"].startswith(f"http://[fd66:96::802]:20001{path}&")
    assert {probe.runner for probe in probes.values()} == {"pod/worker1"}
    assert probes_of(mesh_graph.GROUP, meshed()) == {}, "no Kiali"


def test_a_graph_of_another_run_or_with_plain_text_is_red() -> None:
    probes = probes_of(mesh_graph.GROUP, observed())
    assert red(probes, lambda _: graph()) == set()
    assert red(probes, lambda _: graph(version="cafe0000")) == set(probes)
    assert red(probes, lambda _: graph(mtls="50")) == set(probes)


def test_an_address_that_does_not_answer_is_red_in_its_family_alone() -> None:
    probes = probes_of(mesh_graph.GROUP, observed())
    assert red(probes, lambda _: graph(), "10.96.8.2") == {"mesh-graph/IPv4/kiali"}
    assert failed(probes_of(mesh_graph.GROUP, without_address(observed(), "kiali", "IPv6"))) == {
        "mesh-graph/IPv6/kiali": "not tried: kiali has no IPv6 address"
    }
