"""Filters about Prometheus, Jaeger and Kiali: thin doors to plugin_utils/manifests and to their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.module_utils import observability as components
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import (
    alerts,
    jaeger,
    kiali,
    observability,
    prometheus,
)


def _objects(
    maker: Callable[[Mapping[str, Any]], list[observability.Object]], settings: Mapping[str, Any]
) -> list[observability.Object]:
    """What a maker makes; AnsibleFilterError with the field's name when one is missing."""
    try:
        return maker(settings)
    except KeyError as error:
        raise AnsibleFilterError(f"settings: found no {error}, expected it") from error


def prometheus_objects(settings: Mapping[str, Any]) -> list[observability.Object]:
    """Prometheus and the namespace of all three."""
    return [observability.namespace(), *_objects(prometheus.prometheus, settings)]


def jaeger_objects(settings: Mapping[str, Any]) -> list[observability.Object]:
    """Jaeger."""
    return _objects(jaeger.jaeger, settings)


def kiali_objects(settings: Mapping[str, Any]) -> list[observability.Object]:
    """Kiali."""
    return _objects(kiali.kiali, settings)


def certificate_ends(text: str) -> dict[str, str]:
    """Ends of the control plane's certificates by name."""
    try:
        return alerts.certificate_ends(text)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def observability_deployments(_input: Any) -> list[str]:
    """Names of the Deployments to wait for, whatever is put in."""
    return components.deployments()


def observability_prune_sets(_input: Any) -> list[str]:
    """Names of the apply sets in the order in which they are removed, whatever is put in."""
    return components.prune_sets()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "prometheus_objects": prometheus_objects,
            "jaeger_objects": jaeger_objects,
            "kiali_objects": kiali_objects,
            "certificate_ends": certificate_ends,
            "observability_deployments": observability_deployments,
            "observability_prune_sets": observability_prune_sets,
        }
