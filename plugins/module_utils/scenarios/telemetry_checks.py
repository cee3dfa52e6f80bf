"""Scenarios about the telemetry of requests: Prometheus, Jaeger and Kiali."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.observability import JAEGER, KIALI, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import telemetry
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import Result, request_specs
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import (
    BOTH,
    POLL_SECONDS,
    Json,
    ScenarioError,
    Settings,
)
from ansible_collections.twinstack.core.plugins.module_utils.tracing import trace_id

COUNT_SECONDS = 20.0  # as long as Prometheus may take to come back before the first request
TELEMETRY_SECONDS = 40.0  # Prometheus looks every few seconds, proxies send spans every five
# What a page of Prometheus, Jaeger or Kiali raises when it is not one, or not what is expected.
NO_ANSWER = (*API_ERRORS, ValueError, KeyError, TypeError, IndexError)


class TelemetryScenarios:
    """Checks metrics, traces and Kiali's graph.

    known: all scenarios by their id; run_name: what the run's traces are named after.
    """

    def __init__(
        self, settings: Settings, client: Client, sender: RequestSender, known: Mapping[str, Json], run_name: str
    ) -> None:
        self.settings = settings
        self.client = client
        self.sender = sender
        self.known = known
        self.run_name = run_name
        self.counted: dict[tuple[str, str], telemetry.Counts] = {}

    def counts(self, tenant: str, family: str) -> telemetry.Counts:
        """How far Prometheus has counted the requests through a tenant's gateway."""
        query = quote(telemetry.requests_query(tenant, family), safe="")
        return telemetry.counts(self.page(PROMETHEUS, f"/api/v1/query?query={query}"))

    def page(self, service: tuple[str, int], path: str) -> Any:
        """A page of Prometheus, Jaeger or Kiali."""
        return json.loads(self.client.page("services", OBSERVABILITY, service[0], service[1], path))

    def count(self) -> None:
        """What Prometheus has counted before. What it does not answer in time is left out, and S6 says so."""
        end = time.monotonic() + COUNT_SECONDS
        for pair in itertools.product(self.settings.tenants, FAMILIES):
            while pair not in self.counted and time.monotonic() < end:
                try:
                    self.counted[pair] = self.counts(*pair)
                except NO_ANSWER:
                    time.sleep(POLL_SECONDS)

    def run(self, scenario: Json) -> list[Result]:
        """Telemetry of another scenario's requests: a result for each family, and one for both together."""
        tenant = str(scenario["tenant"])
        results = [self._family(scenario, tenant, family) for family in FAMILIES]
        both, begun = Result(str(scenario["id"]), BOTH, str(scenario["title"])), time.monotonic()
        self._until(
            both,
            f"Kiali's graph of {tenant} has the edges and versions",
            lambda: self._graph(scenario, tenant),
        )
        both.seconds = time.monotonic() - begun
        return [*results, both]

    def _family(self, scenario: Json, tenant: str, family: str) -> Result:
        begun = time.monotonic()
        result = Result(str(scenario["id"]), family, str(scenario["title"]))
        spans: list[dict[str, Any]] = []
        trace = trace_id(self.run_name, family, str(scenario["traced"]))

        def counted(owner: str) -> tuple[bool, str]:
            if (owner, family) not in self.counted:
                return False, "found no answer of Prometheus before the first request, expected a count to start from"
            found = telemetry.risen(self.counted[owner, family], self.counts(owner, family))
            return telemetry.judge_count(found, self.sender.sent.get((owner, family), 0))

        def traced() -> tuple[bool, str]:
            spans[:] = telemetry.spans(self.page(JAEGER, f"/api/traces/{trace}"))
            return telemetry.judge_trace(spans, scenario["chain"])

        for owner in sorted({tenant, *(owner for owner, other in self.sender.sent if other == family)}):
            title = f"Prometheus counted the requests through {owner}'s gateway"
            self._until(result, title, partial(counted, owner))
        self._until(result, f"Jaeger has the trace of {' → '.join(scenario['chain'])}", traced)
        result.more |= {"trace": spans} if spans else {}
        result.seconds = time.monotonic() - begun
        return result

    def _graph(self, scenario: Json, tenant: str) -> tuple[bool, str]:
        """A look at the graph; if it lacks something, more of the traffic that it is to show.

        Kiali shows rates, and a counter that Prometheus meets for the first time has none, whatever its value.
        """
        ok, detail = telemetry.judge_graph(self.page(KIALI, telemetry.graph_path(tenant)), scenario["edges"])
        if not ok:
            known = self.settings
            traffic = self.known[str(scenario["traced"])]
            items = request_specs(traffic, known.tenants, known.nodes, secrets.token_hex(8), known.external)
            self.sender.answers(list(items))
        return ok, detail

    def _until(self, result: Result, title: str, check: Callable[[], tuple[bool, str]]) -> None:
        """A step whose answer comes some seconds late, because it is collected at intervals."""
        end = time.monotonic() + TELEMETRY_SECONDS
        while True:
            try:
                ok, detail = check()
            except (*NO_ANSWER, ScenarioError) as error:
                ok, detail = False, f"no answer: {error}"
            if ok or time.monotonic() > end:
                result.add(title, ok, detail)
                return
            time.sleep(POLL_SECONDS)
