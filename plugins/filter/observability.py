"""Filters about Prometheus, Jaeger and Kiali: thin wrappers around plugin_utils/manifests and to their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import alerts, observability


def observability_objects(settings: Mapping[str, Any], name: str) -> list[observability.Object]:
    """All objects of a component, by the function of its name in the manifests' file of its name.

    The first component brings the namespace. AnsibleFilterError with the field's name when one is missing.
    """
    if name not in COMPONENTS:
        raise AnsibleFilterError(f"component: found {name}, expected one of {', '.join(COMPONENTS)}")
    maker = getattr(import_module(f"{observability.__name__.rpartition('.')[0]}.{name}"), name)
    shared = [observability.namespace()] if name == next(iter(COMPONENTS)) else []
    try:
        return [*shared, *maker(settings)]
    except KeyError as error:
        raise AnsibleFilterError(f"settings: found no {error}, expected it") from error


def observability_components(_input: Any) -> list[dict[str, str]]:
    """The table of components in the order of installation, whatever is put in."""
    return [{"name": one.name, "deployment": one.deployment, "image": one.image} for one in COMPONENTS.values()]


def certificate_ends(text: str) -> dict[str, str]:
    """Ends of the control plane's certificates by name."""
    try:
        return alerts.certificate_ends(text)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "observability_objects": observability_objects,
            "observability_components": observability_components,
            "certificate_ends": certificate_ends,
        }
