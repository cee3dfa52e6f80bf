"""What an inventory may say about tenants. Pure but for the certificates that it names, which are read."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM, OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, Where
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenant_services
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.tenants import REPLICAS as GATEWAY_REPLICAS

TENANTS = "twinstack_tenants"
REMOVE = "tenants_remove"
REVISIONS = "istio_revisions"
REVISION = "twinstack_tenants_revision"
FIELDS = {
    "name": "a DNS label: at most 55 lower-case letters, digits and hyphens",
    "http_port": "",
    "https_port": "",
    "hosts": "a list of DNS names with a dot in them, or *",
    "revision": "",
    "mtls_mode": "",
    "service_type": "",
    "certificate": "a mapping with cert and key, paths on this machine",
    "external": "a list of mappings",
    "services": "",
    "routes": "",
    "quota": "",
    "gateway_replicas": "",
    "reaches": "",
}
EXTERNAL_FIELDS = ("name", "hosts", "addresses", "ports")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# NAME-gateway is the value of a label, which may have 63 characters.
NAME_LENGTH = 63 - len("-gateway")
NAME = re.compile(r"(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# The API server's own default for --service-node-port-range.
NODE_PORTS = range(30000, 32768)
# Namespaces that belong to the cluster or to this project.
RESERVED = ("default", ISTIO_SYSTEM, OBSERVABILITY)
RESERVED_BEGINNINGS = ("kube-", "twinstack-")
MTLS_MODES = ("STRICT", "PERMISSIVE", "DISABLE")
SERVICE_TYPES = ("NodePort", "LoadBalancer")
PROTOCOLS = ("HTTP", "HTTPS", "TLS", "TCP", "GRPC", "HTTP2")


def check_tenants(settings: Mapping[str, Any], defaults: Mapping[str, Any], where: Where) -> Iterator[Finding]:
    """All tenants. settings: of the right types; defaults: of all roles; where: the file that sets a variable."""
    place, tenants = where(TENANTS), settings.get(TENANTS, [])
    given = settings.get(REVISIONS, defaults.get(REVISIONS, []))
    revisions = [item.get("name") for item in given if isinstance(item, Mapping)]
    chosen = settings.get(REVISION)  # absent: it is the default one's name, and that there is none is a finding already
    if tenants and (not revisions or (chosen is not None and chosen not in revisions)):
        yield Finding(where(REVISION), REVISION, shown(chosen), _one_of(revisions))
    yield from _names(place, TENANTS, tenants)
    yield from _removed(where(REMOVE), settings.get(REMOVE, []), tenants)
    ports: dict[int, str] = {}
    for number, item in enumerate(tenants):
        field = f"{TENANTS}[{number}]"
        if not isinstance(item, Mapping):
            yield Finding(place, field, shown(item), "a mapping with name and http_port")
            continue
        yield from _tenant(place, field, item, revisions)
        for key in ("http_port", "https_port"):
            port = item.get(key)
            if isinstance(port, int) and ports.setdefault(port, f"{field}.{key}") != f"{field}.{key}":
                yield Finding(place, f"{field}.{key}", f"{port}, which is {ports[port]}", "a port of its own")


def _one_of(names: Sequence[Any]) -> str:
    if not names:
        return f"a name in {REVISIONS}, which has none"
    return f"one of {', '.join(str(name) for name in names)}, the names in {REVISIONS}"


def _removed(place: str, names: Sequence[Any], tenants: Sequence[Any]) -> Iterator[Finding]:
    """That nobody is to be removed and kept."""
    listed = {item.get("name"): number for number, item in enumerate(tenants) if isinstance(item, Mapping)}
    for number, name in enumerate(names):
        if name in listed:
            found = f"{name}, which {TENANTS}[{listed[name]}] still lists"
            hint = "one of the two, without the other"
            yield Finding(place, f"{REMOVE}[{number}]", found, "a tenant that is no longer listed", hint)


def _names(place: str, field: str, items: Sequence[Any]) -> Iterator[Finding]:
    """That no two items of a list have one name."""
    taken: dict[str, str] = {}
    for number, item in enumerate(items):
        one, name = f"{field}[{number}]", item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, str) and taken.setdefault(name, one) != one:
            yield Finding(place, f"{one}.name", f"{name}, which is {taken[name]}'s", "a name of its own")


def _tenant(place: str, field: str, item: Mapping[str, Any], revisions: Sequence[Any]) -> Iterator[Finding]:
    unknown = sorted(str(key) for key in item if key not in FIELDS)
    if unknown:
        yield Finding(place, field, ", ".join(unknown), f"only {', '.join(FIELDS)}")
    name = item.get("name")
    if not isinstance(name, str) or not LABEL.fullmatch(name) or len(name) > NAME_LENGTH:
        yield Finding(place, f"{field}.name", "nothing" if name is None else shown(name), FIELDS["name"])
    elif name in RESERVED or name.startswith(RESERVED_BEGINNINGS):
        yield Finding(place, f"{field}.name", f"{name}, a namespace of the cluster's own", "another name")
    elif name == certificates.AUTHORITY:
        yield Finding(place, f"{field}.name", f"{name}, the authority of all gateways' certificates", "another name")
    yield from _ports(place, field, item)
    if "revision" in item and item["revision"] not in revisions:
        yield Finding(place, f"{field}.revision", shown(item["revision"]), _one_of(revisions))
    for key, choices in (("mtls_mode", MTLS_MODES), ("service_type", SERVICE_TYPES)):
        if key in item and item[key] not in choices:
            yield Finding(place, f"{field}.{key}", shown(item[key]), " or ".join(choices))
    hosts = item.get("hosts", ["*"])
    if not _texts(hosts) or not all(host == "*" or (NAME.fullmatch(host) and "." in host) for host in hosts):
        yield Finding(place, f"{field}.hosts", shown(hosts), FIELDS["hosts"])
        hosts = []
    gateways = item.get("gateway_replicas", GATEWAY_REPLICAS)
    if isinstance(gateways, bool) or not isinstance(gateways, int) or not 1 <= gateways <= 1000:
        yield Finding(place, f"{field}.gateway_replicas", shown(gateways), "a whole number above 0")
        gateways = GATEWAY_REPLICAS
    yield from tenant_services.check_services(place, field, item, gateways)
    if "certificate" in item:
        yield from _certificate(place, field, item, hosts)
    external = item.get("external", [])
    if not isinstance(external, list | tuple):
        yield Finding(place, f"{field}.external", shown(external), FIELDS["external"])
        return
    yield from _names(place, f"{field}.external", external)
    # By address alone Istio takes the first of two entries for both, where it sees no request's own host.
    taken: dict[tuple[Any, int], int] = {}
    for number, one in enumerate(external):
        wrong = list(_external(place, f"{field}.external[{number}]", one))
        yield from wrong
        for address, port in () if wrong else _opaque_ends(one):
            earlier = taken.setdefault((address, port), number)
            if earlier != number:
                found = f"{address} with port {port}, as in {field}.external[{earlier}]"
                yield Finding(place, f"{field}.external[{number}]", found, "one entry with the hosts of both")


def _texts(value: Any) -> bool:
    """Whether a value is a list of texts with at least one in it."""
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, str) for item in value)


def _ports(place: str, field: str, item: Mapping[str, Any]) -> Iterator[Finding]:
    if "http_port" not in item:
        yield Finding(place, f"{field}.http_port", "nothing", "the node port of the tenant's gateway, 30000 to 32767")
    for key in ("http_port", "https_port"):
        port = item.get(key)
        if key in item and (isinstance(port, bool) or not isinstance(port, int) or port not in NODE_PORTS):
            yield Finding(place, f"{field}.{key}", shown(port), "a node port, a whole number of 30000 to 32767")


def _certificate(place: str, field: str, item: Mapping[str, Any], hosts: Sequence[str]) -> Iterator[Finding]:
    given = item["certificate"]
    if not isinstance(given, Mapping) or set(given) != {"cert", "key"}:
        yield Finding(place, f"{field}.certificate", shown(given), FIELDS["certificate"])
        return
    if "https_port" not in item:
        yield Finding(place, f"{field}.https_port", "nothing", "a node port for HTTPS beside the certificate")
    texts: dict[str, bytes] = {}
    for key, path in given.items():
        try:
            texts[key] = Path(os.path.expanduser(str(path))).read_bytes()
        except OSError as error:
            why = f"{path} ({error.strerror})"
            yield Finding(place, f"{field}.certificate.{key}", why, "a readable PEM file", f"ls -l {path}")
    if len(texts) == len(given):
        for key, found, expected in certificates.problems(texts["cert"], texts["key"], hosts, certificates.today()):
            hint = f"openssl x509 -noout -text -in {given['cert']}"
            yield Finding(place, f"{field}.certificate.{key}", found, expected, hint)


def _external(place: str, field: str, one: Any) -> Iterator[Finding]:
    if not isinstance(one, Mapping):
        yield Finding(place, field, shown(one), f"a mapping with {', '.join(EXTERNAL_FIELDS)}")
        return
    unknown = sorted(str(key) for key in one if key not in EXTERNAL_FIELDS)
    if unknown:
        yield Finding(place, field, ", ".join(unknown), f"only {', '.join(EXTERNAL_FIELDS)}")
    name = one.get("name")
    if not isinstance(name, str) or not LABEL.fullmatch(name) or len(name) > NAME_LENGTH:
        yield Finding(place, f"{field}.name", "nothing" if name is None else shown(name), FIELDS["name"])
    hosts: Any = one.get("hosts")
    addresses, ports = one.get("addresses", []), one.get("ports")
    if not _texts(hosts) or not all(_is_name(host) for host in hosts):
        yield Finding(place, f"{field}.hosts", shown(hosts), "a list of DNS names")
        hosts = []
    elif not addresses and any(host.startswith("*") for host in hosts):
        yield Finding(place, f"{field}.hosts", shown(hosts), "names without *, or addresses")
    if not isinstance(addresses, list | tuple) or not all(_is_address(address) for address in addresses):
        yield Finding(place, f"{field}.addresses", shown(addresses), "a list of IPv4 and IPv6 addresses")
    if not isinstance(ports, list | tuple) or not ports or not all(_is_port(port) for port in ports):
        expected = f"a list of {{number: 1 to 65535, protocol: {' or '.join(PROTOCOLS)}}}"
        yield Finding(place, f"{field}.ports", shown(ports), expected)
    elif len({port["number"] for port in ports}) < len(ports):
        yield Finding(place, f"{field}.ports", shown(ports), "every number once")
    elif len(hosts) > 1 and any(port["protocol"] == "TCP" for port in ports):
        yield Finding(place, f"{field}.hosts", shown(hosts), "one name beside a TCP port, which tells no names apart")


def _opaque_ends(one: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
    """Addresses and ports of a right entry behind which a proxy sees no HTTP."""
    for port in one["ports"]:
        if port["protocol"] in ("TLS", "HTTPS", "TCP"):
            yield from ((ipaddress.ip_address(str(address)), port["number"]) for address in one.get("addresses", []))


def _is_name(host: str) -> bool:
    """Whether a text is a DNS name and no address."""
    return bool(NAME.fullmatch(host)) and not host.rpartition(".")[2].isdecimal()


def _is_address(value: Any) -> bool:
    """Whether a value is an address that means the same on all hosts: one without a zone."""
    try:
        return "%" not in str(ipaddress.ip_address(str(value)))
    except ValueError:
        return False


def _is_port(port: Any) -> bool:
    return (
        isinstance(port, Mapping)
        and set(port) == {"number", "protocol"}
        and isinstance(port["number"], int)
        and not isinstance(port["number"], bool)
        and 1 <= port["number"] <= 65535
        and port["protocol"] in PROTOCOLS
    )
