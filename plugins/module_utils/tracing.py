"""Trace ids that requests carry, and by which their traces are found again. Pure."""

from __future__ import annotations

import hashlib


def trace_id(run: str, family: str, name: str) -> str:
    """The trace of one run's requests of one family from one source (W3C trace context: 32 hexadecimal digits)."""
    return hashlib.sha256(f"{run}/{family}/{name}".encode()).hexdigest()[:32]


def trace_headers(run: str, family: str, name: str) -> tuple[str, ...]:
    """Headers that make every proxy on the path add its spans to one trace; none without a run."""
    if not run:
        return ()
    trace = trace_id(run, family, name)
    # The second one takes the choice from chance (Envoy: x-client-trace-id).
    return f"traceparent: 00-{trace}-{'1' * 16}-01", f"x-client-trace-id: {trace}"
