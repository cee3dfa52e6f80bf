"""Observability components: one table for all that installs, awaits or queries Prometheus, Jaeger and Kiali."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class ServicePort(NamedTuple):
    """A Service's name with its one port, which is the container's too."""

    name: str
    port: int


@dataclass(frozen=True)
class Component:
    """One observability component.

    name: of the component and of its apply set. deployment: its Deployment, and the label ``app`` of its pods. image:
    its repository in the bundle. services: by the name of their port. storage: the variable of the folder on one host
    that keeps its data, empty = it keeps nothing.
    """

    name: str
    deployment: str
    image: str
    services: Mapping[str, ServicePort]
    storage: str = ""


PROMETHEUS = ServicePort("prometheus", 9090)
JAEGER = ServicePort("jaeger-query", 16686)
COLLECTOR = ServicePort("jaeger-collector", 4317)  # takes spans by OTLP (gRPC)
KIALI = ServicePort("kiali", 20001)
# In the order of installation: Kiali reads the other two.
COMPONENTS = {
    component.name: component
    for component in (
        Component(
            name="prometheus",
            deployment="prometheus",
            image="quay.io/prometheus/prometheus",
            services={"http": PROMETHEUS},
            storage="observability_prometheus_storage_path",
        ),
        Component(
            name="jaeger",
            deployment="jaeger",
            image="docker.io/jaegertracing/all-in-one",
            services={"grpc-otlp": COLLECTOR, "http-query": JAEGER},
            storage="observability_jaeger_storage_path",  # where observability_jaeger_storage is badger
        ),
        Component(
            name="kiali",
            deployment="kiali",
            image="quay.io/kiali/kiali",
            services={"http": KIALI},
        ),
    )
}
