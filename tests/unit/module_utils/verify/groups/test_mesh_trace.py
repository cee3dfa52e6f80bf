"""Group mesh-trace: Jaeger has the traces of mesh-mtls's requests."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_mtls, mesh_trace
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import (
    NO_ANSWER,
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import probes_of, raw_observed

OUTBOUND = '{"operationName":"x","tags":[{"value":"outbound|80||only-ipv6.x.svc"}]}'
INBOUND = '{"operationName":"x","tags":[{"value":"inbound|8080||"}]}'


def test_jaeger_is_queried_by_its_address_of_the_family_for_the_worker() -> None:
    probes = probes_of(mesh_trace.GROUP, observed())
    addresses = {name: where.partition("/api/traces/")[0] for name, where in urls(probes).items()}
    assert addresses == {
        "mesh-trace/IPv4/worker1": "http://10.96.8.1:16686",
        "mesh-trace/IPv6/worker1": "http://[fd66:96::801]:16686",
    }
    assert probes_of(mesh_trace.GROUP, meshed()) == {}, "no Jaeger"


def test_the_traced_requests_are_the_ones_that_are_looked_for() -> None:
    sent: dict[tuple[str, str], set[str]] = {}
    for probe in probes_of(mesh_mtls.GROUP, raw_observed()).values():
        assert isinstance(probe.action, Fetch)
        sent.setdefault((probe.family, probe.source), set()).update(probe.action.send)
    found = probes_of(mesh_trace.GROUP, raw_observed())
    assert {(probe.family, probe.target) for probe in found.values()} == set(sent)
    for probe in found.values():
        assert isinstance(probe.action, Fetch)
        trace = probe.action.url.rpartition("/")[2]
        headers = sent[probe.family, probe.target]
        assert any(header.startswith(f"traceparent: 00-{trace}-") for header in headers), probe.id


def test_a_trace_that_lacks_a_proxy_is_red_in_its_family_alone() -> None:
    probes = probes_of(mesh_trace.GROUP, observed())
    whole = answer(f"[{OUTBOUND},{INBOUND}]")
    assert red(probes, lambda _: whole) == set()
    for half in (OUTBOUND, INBOUND):

        def lacking(probe: Probe, left: str = half) -> list[str]:
            return answer(f"[{left}]") if probe.family == "IPv6" else whole

        assert red(probes, lacking) == {"mesh-trace/IPv6/worker1"}
    missing = answer('{"errors":[{"code":404,"msg":"trace not found"}]}', 404)
    assert red(probes, lambda one: missing if one.family == "IPv4" else whole) == {"mesh-trace/IPv4/worker1"}
    assert red(probes, lambda one: list(NO_ANSWER)) == set(probes)


def test_jaeger_without_an_address_of_the_family_is_red_in_it() -> None:
    assert failed(probes_of(mesh_trace.GROUP, without_address(observed(), "jaeger-query", "IPv6"))) == {
        "mesh-trace/IPv6/worker1": "not tried: jaeger-query has no IPv6 address"
    }
