"""What the mesh's groups have in common: which Services receive requests, and how. Pure."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Action, Fetch, Node, Probe, Service
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import CLUSTER_IP_SERVICES, SERVICE_PORT
from ansible_collections.twinstack.core.plugins.module_utils.verify.requests import ANY, make_probe, missing, url

# What the called proxy reports of the caller's certificate (Envoy: x-forwarded-client-cert), read by agnhost's path.
CERTIFICATE_PATH = "/header?key=X-Forwarded-Client-Cert"
BY_MUTUAL_TLS = replace(ANY, contains=("spiffe://",))


def services_of(family: str) -> list[str]:
    """Services that have an address of the family."""
    return [name for name, (_, families) in CLUSTER_IP_SERVICES.items() if family in families]


def service_probe(
    group: str, family: str, node: Node, kind: str, service: Service, title: str, like: Fetch, path: str
) -> Probe:
    """A request from an agent to a Service's address of a family."""
    address = service.addresses.get(family, "")
    action: Action = replace(like, url=url(address, SERVICE_PORT, path)) if address else missing(service.name, family)
    runner = f"{kind}/{node.name}"
    return make_probe(group, family, node.name, service.name, title, action, runner=runner, address=address)
