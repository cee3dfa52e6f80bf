"""What the installer makes bears the names and ports by which the verification and the scenarios look for it."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    IPVS_JOB,
    NODE_FAMILIES_JOB,
    OBSERVABILITY,
    SERVICE_FAMILIES_JOB,
)
from ansible_collections.twinstack.core.plugins.module_utils.observability import COLLECTOR, JAEGER, KIALI, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups.scrape_targets import JOBS, NODE_JOBS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import prometheus_jobs

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS
from tests.unit.plugin_utils.manifests.test_observability import MAKERS


def test_every_page_is_a_service_with_that_port() -> None:
    services = [item for make in MAKERS.values() for item in make(SETTINGS) if item["kind"] == "Service"]
    found = {(item["metadata"]["name"], port["port"]) for item in services for port in item["spec"]["ports"]}
    assert found == {PROMETHEUS, JAEGER, COLLECTOR, KIALI}
    assert {item["metadata"]["namespace"] for item in services} == {OBSERVABILITY}


def test_every_job_of_prometheus_is_verified_and_no_other() -> None:
    config = prometheus_jobs.prometheus_config(SETTINGS)
    there = {job["job_name"] for job in config["scrape_configs"]}
    assert there == {NODE_FAMILIES_JOB, SERVICE_FAMILIES_JOB, IPVS_JOB, *JOBS}
    assert set(NODE_JOBS) < set(JOBS)
