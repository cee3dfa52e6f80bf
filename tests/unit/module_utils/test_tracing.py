"""Traces: their ids, and the headers that carry them."""

from __future__ import annotations

import re
from itertools import product

from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_headers, trace_id


def test_every_run_family_and_source_has_a_trace_of_its_own() -> None:
    found = {trace_id(*one) for one in product(("a", "b"), ("IPv4", "IPv6"), ("cp1", "worker1"))}
    assert len(found) == 8
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in found)


def test_headers_carry_the_trace_that_is_looked_for() -> None:
    trace = trace_id("a", "IPv6", "cp1")
    parent, client = trace_headers("a", "IPv6", "cp1")
    assert re.fullmatch(rf"traceparent: 00-{trace}-[0-9a-f]{{16}}-01", parent)
    assert client == f"x-client-trace-id: {trace}"
    assert trace_headers("", "IPv6", "cp1") == ()
