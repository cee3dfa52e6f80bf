"""Jaeger as Kubernetes objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.observability import (
    NOBODY,
    PATIENCE,
    Object,
    container_ports,
    deployment,
    services,
    storage,
)

COMPONENT = COMPONENTS["jaeger"]


def jaeger(settings: Mapping[str, Any]) -> list[Object]:
    """Jaeger in one program.

    settings: image, primary_family, max_traces, resources, storage: ``memory`` (the newest traces, a restart forgets
    them) or ``badger`` (in a folder of one host, for as long as retention says); node, path, size: of that folder.
    """
    keeps = settings["storage"] == "badger"
    environment = {"COLLECTOR_OTLP_ENABLED": "true"}
    mounts: list[Object] = [{"name": "scratch", "mountPath": "/tmp"}]
    volumes: list[Object] = [{"name": "scratch", "emptyDir": {}}]
    if keeps:
        environment |= {
            "SPAN_STORAGE_TYPE": "badger",
            "BADGER_EPHEMERAL": "false",
            "BADGER_DIRECTORY_KEY": "/badger/key",
            "BADGER_DIRECTORY_VALUE": "/badger/data",
            "BADGER_SPAN_STORE_TTL": settings["retention"],
        }
        mounts.append({"name": "storage", "mountPath": "/badger"})
        volumes.append({"name": "storage", "persistentVolumeClaim": {"claimName": "jaeger"}})
    container = {
        "image": settings["image"],
        "args": [] if keeps else [f"--memory.max-traces={settings['max_traces']}"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": container_ports(COMPONENT),
        "readinessProbe": {"httpGet": {"path": "/", "port": 14269}, **PATIENCE},
        "resources": dict(settings["resources"]),
        "securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY},
        "volumeMounts": mounts,
    }
    return [
        *(storage("jaeger", settings["node"], settings["path"], settings["size"]) if keeps else []),
        deployment(COMPONENT, container, volumes, "none", automountServiceAccountToken=False),
        *services(COMPONENT, settings["primary_family"]),
    ]
