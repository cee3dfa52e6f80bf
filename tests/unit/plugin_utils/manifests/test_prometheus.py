"""IPVS' table, which only kube-proxy in that mode has."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import prometheus, prometheus_jobs

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS


def test_without_ipvs_nothing_looks_at_its_table() -> None:
    def about(settings: dict[str, Any]) -> list[str]:
        made = [item["metadata"]["name"] for item in prometheus.prometheus(settings)]
        jobs = [job["job_name"] for job in prometheus_jobs.prometheus_config(settings)["scrape_configs"]]
        return [name for name in (*made, *jobs) if "ipvs" in name]

    assert about(SETTINGS) == ["twinstack-ipvs-servers", "twinstack-ipvs-servers", "ipvs"]
    assert about(SETTINGS | {"ipvs_program": ""}) == []
