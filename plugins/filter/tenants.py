"""Filters over the tenants of an inventory: thin wrappers around plugin_utils/manifests/tenants.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenant_workloads
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenants as model


def tenant_objects(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All objects of all tenants but their certificates."""
    try:
        return model.tenant_objects(settings)
    except (KeyError, ValueError) as error:
        raise AnsibleFilterError(f"tenants: {error}") from error


def tenant_gateways(
    tenants: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Every tenant's gateway and services, as module apply waits for them.

    held: services of which module istio_release has said that they do not become ready.
    """
    wait = {"api_version": "apps/v1", "kind": "Deployment", "names": [model.GATEWAY]}
    late = {(one["namespace"], name) for one in held for name in one["deployments"]}
    services = [
        one | {"names": [name for name in one["names"] if (one["namespace"], name) not in late]}
        for one in tenant_workloads.names(tenants)
    ]
    return [*(wait | {"namespace": item["name"]} for item in tenants), *(one for one in services if one["names"])]


def tenant_certificate_hosts(
    tenants: Sequence[Mapping[str, Any]], addresses: Sequence[str], domain: str
) -> dict[str, list[str]]:
    """By tenant without a certificate of its own but with HTTPS, the hosts that one is to be good for."""
    found = {}
    for tenant in map(model.parse_tenant, tenants):
        if tenant.https_port and not tenant.certificate:
            names = [host for host in tenant.hosts if host != "*"]
            found[tenant.name] = [*names, f"{model.GATEWAY}.{tenant.name}.svc.{domain}", *addresses]
    return found


def tenant_tls_secrets(tenants: Sequence[Mapping[str, Any]], folder: str) -> list[dict[str, str]]:
    """The certificates of all tenants with HTTPS, as module apply reads them."""
    found = []
    for tenant in map(model.parse_tenant, tenants):
        if tenant.https_port:
            certificate, key = map(str, model.certificate_paths(tenant, Path(folder)))
            place = {"namespace": tenant.name, "name": model.CREDENTIAL}
            found.append(place | {"certificate": certificate, "private_key": key})
    return found


def tenant_targets(
    tenants: Sequence[Mapping[str, Any]], node: Mapping[str, Any], path: str, qps: float
) -> list[dict[str, Any]]:
    """URLs that module http_load sends requests to: every tenant's gateway on a node (ipv4, ipv6) over each family."""
    found = []
    for tenant in map(model.parse_tenant, tenants):
        named = sorted((host for host in tenant.hosts if host != "*"), key=lambda host: host.startswith("*"))
        for family, host in (("IPv4", node["ipv4"]), ("IPv6", f"[{node['ipv6']}]")):
            found.append(
                {
                    "name": f"{tenant.name} {family}",
                    "url": f"http://{host}:{tenant.http_port}{path}",
                    "headers": [f"Host:{named[0].replace('*', 'any', 1)}"] if named else [],
                    "qps": float(qps),
                }
            )
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "tenant_objects": tenant_objects,
            "tenant_gateways": tenant_gateways,
            "tenant_certificate_hosts": tenant_certificate_hosts,
            "tenant_targets": tenant_targets,
            "tenant_tls_secrets": tenant_tls_secrets,
        }
