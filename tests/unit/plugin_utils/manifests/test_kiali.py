"""Kiali's configuration."""

from __future__ import annotations

import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import kiali

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS


def test_kiali_reads_the_configured_control_plane() -> None:
    (config,) = [item for item in kiali.kiali(SETTINGS) if item["kind"] == "ConfigMap"]
    istio = yaml.safe_load(config["data"]["config.yaml"])["external_services"]["istio"]
    assert (istio["istiod_deployment_name"], istio["config_map_name"]) == ("istiod-blue", "istio-blue")
