"""Requests of scenarios, from outside the cluster and from pods of tenants."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import http_probe
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import OUTSIDE, RequestSpec, request
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import (
    BATCH_SECONDS,
    Json,
    ScenarioError,
    Settings,
)


class RequestSender:
    """Sends requests, and remembers how many went through which gateway.

    sent: requests that went through a tenant's gateway, by tenant and family.
    """

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings = settings
        self.client = client
        self.sent: dict[tuple[str, str], int] = {}
        self._pods: dict[tuple[str, str], str] = {}

    def count(self, tenant: str, family: str, requests: int) -> None:
        """So many more went through a tenant's gateway."""
        self.sent[tenant, family] = self.sent.get((tenant, family), 0) + requests

    def outside(self, requests: Sequence[Json]) -> list[Json]:
        """Answers to requests from outside the cluster."""
        command, text = (
            [*self.settings.prefix, sys.executable, "-c", inspect.getsource(http_probe)],
            json.dumps(requests) + "\n",
        )
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=BATCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ScenarioError(f"outside: no answers within {BATCH_SECONDS:.0f} s") from None
        if done.returncode:
            raise ScenarioError(f"outside: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return list(json.loads(done.stdout))

    def inside(self, tenant: str, service: str, requests: Sequence[Json]) -> list[Json]:
        """Answers to requests from a pod of a tenant's service, whose image must have a Python."""
        pod = self._pod(tenant, service)
        try:
            output = self.client.execute(
                (tenant, pod, service),
                ["python3", "-c", inspect.getsource(http_probe)],
                json.dumps(requests) + "\n",
                BATCH_SECONDS,
                lambda said: said.endswith("]"),
            )
            return list(json.loads(output))
        except (OSError, ValueError) as error:
            return [{"id": one["id"], "status": 0, "text": "", "error": f"in {pod}: {error}"} for one in requests]

    def _pod(self, tenant: str, service: str) -> str:
        if (tenant, service) not in self._pods:
            pods = self.client.list("v1", "Pod", f"app={service}")
            running = sorted(
                item["metadata"]["name"]
                for item in pods
                if item["metadata"]["namespace"] == tenant
                and item["status"].get("phase") == "Running"
                and not item["metadata"].get("deletionTimestamp")
            )
            if not running:
                raise ScenarioError(
                    f"{tenant}/{service}: found no running pod, expected one. Try: kubectl -n {tenant} get pods"
                )
            self._pods[tenant, service] = running[0]
        return self._pods[tenant, service]

    def answers(self, items: Sequence[RequestSpec]) -> list[list[Json]]:
        """Answers to all requests, repeats together, one batch for each place, and all places at once."""
        numbered = [(number, item) for number, item in enumerate(items) for _ in range(item.repeat)]
        found: dict[int, list[Json]] = {number: [] for number in range(len(items))}
        places = sorted({(item.tenant, item.place) for item in items})

        def answered(where: tuple[str, str]) -> list[Json]:
            batch = [request(n, item) for n, item in numbered if (item.tenant, item.place) == where]
            return self.outside(batch) if where[1] == OUTSIDE else self.inside(*where, batch)

        with ThreadPoolExecutor(max(len(places), 1)) as pool:
            for got in pool.map(answered, places):
                for answer in got:
                    found[int(answer["id"])].append(answer)
        for item in items:
            if item.place == OUTSIDE:
                self.count(item.tenant, item.family, item.repeat)
        return [found[number] for number in range(len(items))]

    def host(self, tenant: str, target: str) -> str:
        """The name by which a tenant's gateway knows its requests; the address itself where it has none."""
        return self.settings.tenants[tenant].host or target
