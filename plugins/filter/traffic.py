"""Filters over releases and limits: thin wrappers around manifests/traffic.py and manifests/tenant_workloads.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads, traffic


def canary_objects(items: Sequence[Mapping[str, Any]], domain: str) -> list[dict[str, Any]]:
    """Istio's objects for releases."""
    try:
        return traffic.canary_objects([traffic.parse_canary(item) for item in items], domain)
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"tenants_canary_routes: found no {error}, expected it") from error


def rate_limit_objects(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Istio's objects for limits."""
    try:
        return traffic.rate_limit_objects([traffic.parse_limit(item) for item in items])
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"tenants_rate_limits: found no {error}, expected it") from error


def tenant_deployments(tenants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The Deployment of every version of every service, as module istio_release takes them."""
    return [
        {
            "namespace": str(item["name"]),
            "service": one.name,
            "subset": traffic.label(version),
            "name": tenant_workloads.deployment_name(one, version),
        }
        for item in tenants
        for one in tenant_workloads.workloads(item)
        for version in one.versions
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "canary_objects": canary_objects,
            "rate_limit_objects": rate_limit_objects,
            "tenant_canaries": tenant_workloads.canaries,
            "tenant_deployments": tenant_deployments,
            "tenant_limits": tenant_workloads.limits,
        }
