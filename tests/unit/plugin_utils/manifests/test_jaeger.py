"""Where Jaeger keeps traces."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import jaeger

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS


@pytest.mark.parametrize("storage", ["memory", "badger"])
def test_traces_are_kept_in_memory_or_in_a_folder(storage: str) -> None:
    objects = jaeger.jaeger(SETTINGS | {"storage": storage})
    volumes = [item for item in objects if item["kind"] == "PersistentVolume"]
    (pod,) = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    (container,) = pod["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    keeps = storage == "badger"
    assert environment.get("SPAN_STORAGE_TYPE") == ("badger" if keeps else None)
    assert [item["spec"]["local"]["path"] for item in volumes] == (["/srv/traces"] if keeps else [])
    assert ("/badger" in [item["mountPath"] for item in container["volumeMounts"]]) is keeps
    assert bool(container["args"]) is not keeps
