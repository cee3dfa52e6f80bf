"""Tenants as typed data, and what each is made of: a namespace, a gateway of its own and ways out of the mesh. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    CERTIFICATE_HOST,
    ISTIO_PROXY,
    ISTIO_SYSTEM,
    OBSERVABILITY,
)
from ansible_collections.twinstack.core.plugins.module_utils.observability import COLLECTOR
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import istio as mesh
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability, tenant_workloads

GATEWAY = tenant_workloads.GATEWAY
CREDENTIAL = "gateway-certificate"
# The gateway's own ports, above 1023 so that it needs no privilege; its Service offers 80 and 443.
HTTP, HTTPS = (80, 8080), (443, 8443)
ANYWHERE = ("0.0.0.0/0", "::/0")
REPLICAS = 2  # of a gateway, unless its tenant says otherwise
# A gateway that is to go serves on until no host sends it new connections any more, then drains (5 s, Istio's own
# terminationDrainDuration). Without this pause a revision migration cost 13 of 4039 requests.
LINGER_SECONDS = 10
GRACE_SECONDS = 30

BY_NAME = ("TLS", "HTTPS")  # of which a proxy sees nothing but the name in the greeting

Object = dict[str, Any]


@dataclass(frozen=True)
class External:
    """A host outside the mesh. addresses: literal ones, empty = resolved by DNS. ports: numbers by protocol name."""

    name: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Tenant:
    """One tenant. revision: empty = the mesh's default one. https_port: 0 = no HTTPS. certificate: paths, or empty."""

    name: str
    http_port: int
    https_port: int
    hosts: tuple[str, ...]
    revision: str
    mtls_mode: str
    service_type: str
    certificate: Mapping[str, str]
    external: tuple[External, ...]
    gateway_replicas: int = REPLICAS


def parse_tenant(item: Mapping[str, Any]) -> Tenant:
    """A Tenant from an item of twinstack_tenants, which the inventory's rules have judged before."""
    return Tenant(
        name=str(item["name"]),
        http_port=int(item["http_port"]),
        https_port=int(item.get("https_port", 0)),
        hosts=tuple(item.get("hosts", ["*"])),
        revision=str(item.get("revision", "")),
        mtls_mode=str(item.get("mtls_mode", "")),
        service_type=str(item.get("service_type", "NodePort")),
        certificate=dict(item.get("certificate", {})),
        gateway_replicas=int(item.get("gateway_replicas", REPLICAS)),
        external=tuple(
            External(
                name=str(one["name"]),
                hosts=tuple(one["hosts"]),
                addresses=tuple(str(address) for address in one.get("addresses", [])),
                ports=tuple((str(port["protocol"]), int(port["number"])) for port in one["ports"]),
            )
            for one in item.get("external", [])
        ),
    )


def certificate_paths(tenant: Tenant, folder: Path) -> tuple[Path, Path]:
    """Certificate and key of a tenant's gateway: its own ones, or those that the mesh-local CA made in a folder."""
    if tenant.certificate:
        return Path(tenant.certificate["cert"]).expanduser(), Path(tenant.certificate["key"]).expanduser()
    return folder / f"{tenant.name}.crt", folder / f"{tenant.name}.key"


def tenant_objects(settings: Mapping[str, Any]) -> list[Object]:
    """All objects of all tenants but their certificates.

    settings: tenants, primary_family, domain, default_revision (a name), resources (of a gateway), demo_image,
    workload_resources (of a service's container).
    """
    found: list[Object] = []
    for item in settings["tenants"]:
        tenant = parse_tenant(item)
        found += [
            _namespace(tenant, settings["default_revision"]),
            *_policies(tenant),
            *_gateway(tenant, settings),
            *(_service_entry(tenant, one) for one in tenant.external),
            *(_routes_by_name(tenant, one) for one in tenant.external if _needs_names(one)),
            *tenant_workloads.objects(
                item, settings["primary_family"], settings["demo_image"], settings["workload_resources"]
            ),
        ]
        if tenant.mtls_mode:
            spec = {"mtls": {"mode": tenant.mtls_mode}}
            found.append(_object("security.istio.io/v1", "PeerAuthentication", tenant, "default", {"spec": spec}))
    return found


def _object(api: str, kind: str, tenant: Tenant, name: str, more: Mapping[str, Any]) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": tenant.name}, **more}


def _namespace(tenant: Tenant, default_revision: str) -> Object:
    """A namespace whose pods get a proxy and no privileges. The revision is always named, so that a new default moves
    nobody."""
    labels = {
        "istio.io/rev": tenant.revision or default_revision,
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant.name, "labels": labels}}


# --- the gateway ------------------------------------------------------------------------------------------------------


def _gateway(tenant: Tenant, settings: Mapping[str, Any]) -> list[Object]:
    """Deployment, Service and what belongs to them; the mesh's injector fills in the proxy."""
    labels = {"app": GATEWAY, "istio": f"{tenant.name}-{GATEWAY}"}
    ports = [_port("http", HTTP, tenant.http_port, tenant)]
    servers = [_server("http", HTTP, tenant, None)]
    if tenant.https_port:
        ports.append(_port("https", HTTPS, tenant.https_port, tenant))
        servers.append(_server("https", HTTPS, tenant, {"mode": "SIMPLE", "credentialName": CREDENTIAL}))
    service: Object = {
        "type": tenant.service_type,
        "selector": labels,
        "ipFamilyPolicy": "RequireDualStack",
        "ipFamilies": observability.families(settings["primary_family"]),
        "ports": ports,
    }
    rbac = "rbac.authorization.k8s.io"
    return [
        _object("v1", "ServiceAccount", tenant, GATEWAY, {}),
        # istiod gives a gateway only the certificates that its account may read.
        _object(
            f"{rbac}/v1",
            "Role",
            tenant,
            GATEWAY,
            {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]},
        ),
        _object(
            f"{rbac}/v1",
            "RoleBinding",
            tenant,
            GATEWAY,
            {
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": GATEWAY},
                "subjects": [{"kind": "ServiceAccount", "name": GATEWAY, "namespace": tenant.name}],
            },
        ),
        _object("apps/v1", "Deployment", tenant, GATEWAY, {"spec": _deployment(tenant, labels, settings["resources"])}),
        _annotated(_object("v1", "Service", tenant, GATEWAY, {"spec": service}), tenant, settings["domain"]),
        _object(
            "policy/v1",
            "PodDisruptionBudget",
            tenant,
            GATEWAY,
            {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}}},
        ),
        _object(
            "networking.istio.io/v1",
            "Gateway",
            tenant,
            GATEWAY,
            {"spec": {"selector": labels, "servers": servers}},
        ),
    ]


def _annotated(service: Object, tenant: Tenant, domain: str) -> Object:
    """The Service for its own tenant's proxies alone, and with a name that its certificate is good for.

    By that name the verification checks it.
    """
    service["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    name = certificate_host(tenant, domain)
    if tenant.https_port and name:
        service["metadata"]["annotations"][CERTIFICATE_HOST] = name
    return service


def certificate_host(tenant: Tenant, domain: str) -> str:
    """A name that the gateway's certificate is good for; empty when a user's certificate is said to be for any."""
    named = [host for host in tenant.hosts if not host.startswith("*")]
    made = "" if tenant.certificate else f"{GATEWAY}.{tenant.name}.svc.{domain}"
    return next(iter(named), made)


def _port(name: str, numbers: tuple[int, int], node_port: int, tenant: Tenant) -> Object:
    port: Object = {"name": name, "port": numbers[0], "targetPort": numbers[1], "protocol": "TCP"}
    return port | ({"nodePort": node_port} if tenant.service_type == "NodePort" else {})


def _server(name: str, numbers: tuple[int, int], tenant: Tenant, tls: Object | None) -> Object:
    port = {"number": numbers[0], "name": name, "protocol": name.upper()}
    return {"port": port, "hosts": list(tenant.hosts)} | ({"tls": tls} if tls else {})


def _deployment(tenant: Tenant, labels: Object, resources: Mapping[str, Any]) -> Object:
    container = {
        "name": ISTIO_PROXY,
        "image": "auto",
        # Without a tag the API server would make the policy Always, which fails where images are sent.
        "imagePullPolicy": "IfNotPresent",
        "resources": dict(resources),
        # As Istio's sidecars have one and its gateways have none: these are probed every 15 s only, the first time
        # before they can be ready.
        "startupProbe": {
            "httpGet": {"path": "/healthz/ready", "port": 15021},
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 600,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": LINGER_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
    }
    return {
        "replicas": tenant.gateway_replicas,
        # A new one is ready before an old one goes: no request is lost.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels, "annotations": {"inject.istio.io/templates": "gateway"}},
            "spec": {
                "serviceAccountName": GATEWAY,
                "terminationGracePeriodSeconds": GRACE_SECONDS,
                "affinity": mesh.apart({"istio": labels["istio"]}),
                "topologySpreadConstraints": mesh.evenly({"istio": labels["istio"]}),
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container],
            },
        },
    }


# --- what may be talked to --------------------------------------------------------------------------------------------


def _policies(tenant: Tenant) -> list[Object]:
    """Nothing in or out in either family but: within the tenant, to the gateway, to DNS, and to and from the mesh."""

    def policy(name: str, selector: Object, **rules: Sequence[Object]) -> Object:
        spec: Object = {"podSelector": selector, "policyTypes": [kind.capitalize() for kind in rules]}
        # An empty list is not kept by the API server: applying one would be a new generation in every run.
        spec |= {kind: rule for kind, rule in rules.items() if rule}
        return _object("networking.k8s.io/v1", "NetworkPolicy", tenant, name, {"spec": spec})

    def space(name: str) -> Object:
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}

    def ports(protocol: str, *numbers: int) -> list[Object]:
        return [{"protocol": protocol, "port": number} for number in numbers]

    inside: Object = {"podSelector": {}}
    pages = ports("TCP", HTTP[1], HTTPS[1])
    found = [
        policy("default-deny", {}, ingress=[], egress=[]),
        policy("within", {}, ingress=[{"from": [inside]}], egress=[{"to": [inside]}]),
        policy("gateway", {"matchLabels": {"app": GATEWAY}}, ingress=[{"ports": pages}]),
        policy(
            "mesh",
            {},
            ingress=[{"from": [space(OBSERVABILITY)], "ports": ports("TCP", 15020, 15090)}],
            egress=[
                {"to": [space("kube-system")], "ports": [*ports("UDP", 53), *ports("TCP", 53)]},
                {"to": [space(ISTIO_SYSTEM)], "ports": ports("TCP", 15010, 15012)},
                {"to": [space(OBSERVABILITY)], "ports": ports("TCP", COLLECTOR.port)},
            ],
        ),
    ]
    if tenant.external:
        # One rule each, so that the ports of one are not open to the addresses of another.
        rules = [
            {
                "to": [{"ipBlock": {"cidr": cidr}} for cidr in (_blocks(one.addresses) or ANYWHERE)],
                "ports": ports("TCP", *(number for _protocol, number in one.ports)),
            }
            for one in tenant.external
        ]
        found.append(policy("external", {}, egress=rules))
    return found


def _blocks(addresses: Sequence[str]) -> list[str]:
    """Networks of one address each."""
    return [f"{address}/{128 if ':' in address else 32}" for address in addresses]


def _needs_names(external: External) -> bool:
    """Whether only the name in a client's request tells hosts apart: by address, Istio takes the first one for all."""
    return (
        len(external.hosts) > 1
        and bool(external.addresses)
        and any(protocol in BY_NAME for protocol, _ in external.ports)
    )


def _routes_by_name(tenant: Tenant, external: External) -> Object:
    """TLS to each of several hosts of the same addresses by the name in its greeting (SNI)."""
    rules = [
        {
            "match": [{"port": number, "sniHosts": [host]}],
            "route": [{"destination": {"host": host, "port": {"number": number}}}],
        }
        for protocol, number in external.ports
        if protocol in BY_NAME
        for host in external.hosts
    ]
    spec = {"hosts": list(external.hosts), "exportTo": ["."], "tls": rules}
    return _object("networking.istio.io/v1", "VirtualService", tenant, f"external.{external.name}", {"spec": spec})


def _service_entry(tenant: Tenant, external: External) -> Object:
    """A host outside the mesh by name, in whichever families it has."""
    spec: Object = {
        "hosts": list(external.hosts),
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [
            {"name": f"{protocol.lower()}-{number}", "number": number, "protocol": protocol}
            for protocol, number in external.ports
        ],
        "resolution": "STATIC" if external.addresses else "DNS",
    }
    if external.addresses:
        spec["addresses"] = list(external.addresses)
        spec["endpoints"] = [{"address": address} for address in external.addresses]
    return _object("networking.istio.io/v1", "ServiceEntry", tenant, external.name, {"spec": spec})
