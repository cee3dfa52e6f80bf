"""Filters over the settings of Prometheus, Jaeger and Kiali: thin doors to plugin_utils/manifests/observability.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability as model


def _objects(
    maker: Callable[[Mapping[str, Any]], list[model.Object]], settings: Mapping[str, Any]
) -> list[model.Object]:
    """What a maker makes; AnsibleFilterError with the field's name when one is missing."""
    try:
        return maker(settings)
    except KeyError as error:
        raise AnsibleFilterError(f"settings: found no {error}, expected it") from error


def prometheus_objects(settings: Mapping[str, Any]) -> list[model.Object]:
    """Prometheus and the namespace of all three."""
    return [model.namespace(), *_objects(model.prometheus, settings)]


def jaeger_objects(settings: Mapping[str, Any]) -> list[model.Object]:
    """Jaeger."""
    return _objects(model.jaeger, settings)


def kiali_objects(settings: Mapping[str, Any]) -> list[model.Object]:
    """Kiali."""
    return _objects(model.kiali, settings)


def certificate_ends(text: str) -> dict[str, str]:
    """Ends of the control plane's certificates by name."""
    try:
        return model.certificate_ends(text)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "prometheus_objects": prometheus_objects,
            "jaeger_objects": jaeger_objects,
            "kiali_objects": kiali_objects,
            "certificate_ends": certificate_ends,
        }
