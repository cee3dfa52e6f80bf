"""Scenarios that send load to what is limited."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILIES, bracketed
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.model import (
    Load,
    Result,
    judge_load,
    parse_access_log,
)
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import (
    BATCH_SECONDS,
    BOTH,
    Json,
    ScenarioError,
    Settings,
)


class LoadScenarios:
    """Sends load from the scenarios' own pod of fortio."""

    def __init__(self, settings: Settings, client: Client, sender: RequestSender) -> None:
        self.settings = settings
        self.client = client
        self.sender = sender

    def run(self, scenario: Json) -> list[Result]:
        """Load on all limits over both families, all at the same time."""
        begun = time.monotonic()
        results = {family: Result(str(scenario["id"]), family, str(scenario["title"])) for family in (*FAMILIES, BOTH)}
        pairs = list(itertools.product(scenario["loads"], FAMILIES))
        with ThreadPoolExecutor(max(len(pairs), 1)) as pool:
            met = list(pool.map(lambda pair: self._fortio(*pair), pairs))
        for (one, family), load in zip(pairs, met, strict=False):
            self.sender.count(str(one["tenant"]), family, load.total)
        for place, one in enumerate(scenario["loads"]):
            seconds, limit = int(one["seconds"]), int(one["limit"])
            buckets = self._replicas(str(one["tenant"]), str(one["enforced_by"]))
            loads = dict(zip(FAMILIES, met[place * len(FAMILIES) :], strict=False))
            ok, detail = judge_load(loads, limit, seconds, buckets)
            where = f"{one['service']}, limited at the {one['at']}"
            series = {
                family: {"accepted": dict(load.accepted), "refused": dict(load.refused)}
                for family, load in loads.items()
            }
            picture = {"limit": limit, "buckets": buckets, "seconds": seconds, "series": series}
            results[BOTH].add(where, ok, detail, sum(load.total for load in loads.values()), load=picture)
            for family, load in loads.items():
                accepted, refused = sum(load.accepted.values()), sum(load.refused.values())
                fine = accepted > 0 and refused > 0 and not load.others
                told = f"{accepted} accepted, {refused} refused with 429, {sum(load.others.values())} others"
                results[family].add(where, fine, f"{told}; expected some of the first two, none other", load.total)
        for result in results.values():
            result.seconds = time.monotonic() - begun
        return list(results.values())

    def _replicas(self, tenant: str, deployment: str) -> int:
        found = self.client.get(Key("apps/v1", "Deployment", tenant, deployment))
        if found is None:
            raise ScenarioError(
                f"{tenant}/{deployment}: found no such Deployment, expected the one that enforces a limit"
            )
        return int(found["spec"]["replicas"])

    def _fortio(self, one: Json, family: str) -> Load:
        qps, seconds = int(one["qps"]), int(one["seconds"])
        tenant = self.settings.tenants[str(one["tenant"])]
        target = f"{bracketed(self.settings.nodes[0][family])}:{tenant.http_port}"
        command = [
            "fortio",
            "load",
            "-quiet",
            "-qps",
            str(qps),
            "-c",
            "4",
            "-t",
            f"{seconds}s",
            "-nocatchup",
            "-uniform",
        ]
        command += ["-allow-initial-errors", "-access-log-file", "/dev/stdout", "-access-log-format", "json"]
        command += ["-H", f"Host: {tenant.host}"] if tenant.host else []
        command += [f"http://{target}{tenant.paths[str(one['service'])]}"]
        where = scenario_objects.NAMESPACE, fortio.POD, fortio.POD
        output = self.client.execute(where, command, "", seconds + BATCH_SECONDS)
        return parse_access_log(output)
