"""Group mesh-collector: Jaeger takes spans over each family."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_collector
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Verdict
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import judge_fetch
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import batch

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import ANSWERED, probes_of, raw_observed

TAKEN = "HTTP/2 200\ngrpc-status: 0"


def test_spans_are_sent_to_the_collectors_address_of_each_family() -> None:
    probes = probes_of(mesh_collector.GROUP, observed())
    path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    assert urls(probes) == {
        "mesh-collector/IPv4/jaeger-collector": f"http://10.96.8.3:4317{path}",
        "mesh-collector/IPv6/jaeger-collector": f"http://[fd66:96::803]:4317{path}",
    }
    assert {probe.runner for probe in probes.values()} == {"pod/worker1"}
    assert probes_of(mesh_collector.GROUP, meshed()) == {}, "no Jaeger"


def test_the_collector_gets_an_empty_message_of_grpc() -> None:
    probe = probes_of(mesh_collector.GROUP, raw_observed())["mesh-collector/IPv6/jaeger-collector"]
    assert isinstance(probe.action, Fetch)
    text = batch({7: probe.action})
    assert "C http2-prior-knowledge" in text and 'C data-binary = "@export"' in text and "C dump-header" in text
    assert judge_fetch(probe.action, ANSWERED, ["HTTP/2 200", "grpc-status: 0"], {}).ok
    assert not judge_fetch(probe.action, ANSWERED, ["HTTP/2 200", "grpc-status: 12"], {}).ok


def test_a_collector_that_takes_nothing_over_a_family_is_red_in_it_alone() -> None:
    probes = probes_of(mesh_collector.GROUP, observed())
    assert red(probes, lambda _: answer(TAKEN)) == set()
    assert red(probes, lambda _: answer(TAKEN), "fd66:96::803") == {"mesh-collector/IPv6/jaeger-collector"}
    refused = answer("HTTP/2 200\ngrpc-status: 14")
    assert red(probes, lambda one: refused if one.family == "IPv4" else answer(TAKEN)) == {
        "mesh-collector/IPv4/jaeger-collector"
    }
    assert failed(probes_of(mesh_collector.GROUP, without_address(observed(), "jaeger-collector", "IPv6"))) == {
        "mesh-collector/IPv6/jaeger-collector": "not tried: jaeger-collector has no IPv6 address"
    }


def test_the_next_command_reads_jaegers_log() -> None:
    probe = probes_of(mesh_collector.GROUP, observed())["mesh-collector/IPv4/jaeger-collector"]
    assert "logs deploy/jaeger" in mesh_collector.GROUP.next_command(probe, Verdict(False, "x"))
