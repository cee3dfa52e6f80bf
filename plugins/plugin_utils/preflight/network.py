"""The host's network: addresses of both families, MTU, sysctls and routes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings, link_of

# VXLAN adds 50 bytes over IPv4 and 70 over IPv6; IPv6 needs 1280 inside (RFC 7348, RFC 8200).
VXLAN_OVERHEAD = 70
MINIMUM_MTU = 1280 + VXLAN_OVERHEAD
# Routes that a cluster of ours makes: Calico's links and protocol numbers, kube-proxy's link.
OWN_ROUTE_DEVICES = ("cali", "vxlan.calico", "vxlan-v6.calico", "kube-ipvs0", "tunl0")
OWN_ROUTE_PROTOCOLS = ("80", "bird")


def check_addresses(host: Host, _settings: Settings) -> Iterator[Finding]:
    """Both addresses are on a link that is up, usable, and leave room for VXLAN."""
    for family in FAMILY_KEYS:
        address = host.addresses[family]
        place = link_of(host, family)
        if place is None:
            flag = "-6" if family == "ipv6" else "-4"
            others = [
                item["address"]
                for link in host.probe["links"].values()
                for item in link["addresses"]
                if item["family"] == family and item["scope"] == "global"
            ]
            found = f"{address} on no link; the host has {', '.join(others) or 'none of this family'}"
            yield Finding(host.name, family, found, "an address of the host", f"ip {flag} address show")
            continue
        name, link, item = place
        where = f"{family} {address} on {name}"
        if "dadfailed" in item["flags"]:
            hint = f"find the other owner: ip -6 neighbour; then ip link set {name} down and up"
            yield Finding(host.name, where, "duplicate address detected (dadfailed)", "a unique address", hint)
        elif "tentative" in item["flags"]:
            hint = f"ip -6 address show dev {name} tentative"
            yield Finding(host.name, where, "tentative", "an address that passed duplicate detection", hint)
        if "deprecated" in item["flags"]:
            expected = "a preferred address, else the kernel picks another source address"
            yield Finding(host.name, where, "deprecated", expected, f"ip -6 address show dev {name}")
        if not (link["up"] and link["running"]):
            yield Finding(host.name, where, "link down", "link up with carrier", f"ip link set {name} up")
        if link["mtu"] < MINIMUM_MTU:
            expected = f"at least {MINIMUM_MTU} (1280 for IPv6 in pods, {VXLAN_OVERHEAD} for VXLAN over IPv6)"
            yield Finding(host.name, f"mtu of {name}", str(link["mtu"]), expected)


def check_pod_mtu(host: Host, settings: Settings) -> Iterator[Finding]:
    """A pod's packet must fit, with its VXLAN header where there can be one, into the link of either family."""
    overhead = 0 if settings.encapsulation == "None" else VXLAN_OVERHEAD
    rooms = {place[0]: int(place[1]["mtu"]) - overhead for family in FAMILY_KEYS if (place := link_of(host, family))}
    for name, room in sorted(rooms.items()):
        if settings.mtu > room:
            expected = f"at most {room} on {name}" + (f" ({overhead} less than its own, for VXLAN)" if overhead else "")
            yield Finding(host.name, "twinstack_mtu", str(settings.mtu), expected, "0 lets Calico choose")


def check_router_advertisements(host: Host, _settings: Settings) -> Iterator[Finding]:
    """A host that forwards ignores router advertisements unless accept_ra is 2 (kernel's ip-sysctl)."""
    devices = {route["device"] for route in host.probe["routes"]["ipv6"] if route["protocol"] == "ra"}
    devices |= {
        name
        for name, link in host.probe["links"].items()
        if any("mngtmpaddr" in item["flags"] and "dynamic" in item["flags"] for item in link["addresses"])
    }
    for name in sorted(devices):
        value = host.probe["sysctls"].get(f"net/ipv6/conf/{name}/accept_ra", "")
        if value == "1":
            yield Finding(
                host.name,
                f"net.ipv6.conf.{name}.accept_ra",
                "1 with routes or addresses from router advertisements",
                "2: nodes forward, and a forwarding host drops what it learned with 1",
                f"sysctl -w net/ipv6/conf/{name}/accept_ra=2, and the same in node_prep_sysctls for later boots",
            )


def check_disabled_ipv6(host: Host, _settings: Settings) -> Iterator[Finding]:
    """IPv6 must be on for all links that will come: pods' links copy the default."""
    for name in ("all", "default"):
        key = f"net/ipv6/conf/{name}/disable_ipv6"
        if host.probe["sysctls"].get(key, "1") != "0":
            found = host.probe["sysctls"].get(key) or "no such key (ipv6.disable=1?)"
            yield Finding(host.name, key.replace("/", "."), found, "0", f"sysctl -w {key}=0, and in /etc/sysctl.d")


def check_routes(host: Host, settings: Settings) -> Iterator[Finding]:
    """Routes of the host that the pod or service networks would cut off."""
    for family in FAMILY_KEYS:
        for route in host.probe["routes"][family]:
            if route["destination"] == "default":
                continue
            if route["device"].startswith(OWN_ROUTE_DEVICES) or route["protocol"] in OWN_ROUTE_PROTOCOLS:
                continue
            network = ipaddress.ip_network(route["destination"], strict=False)
            for variable, cidr in ((name, cidr) for name, cidrs in settings.cidrs.items() for cidr in cidrs):
                other = ipaddress.ip_network(cidr)
                if other.version == network.version and other.overlaps(network):
                    found = f"{cidr}, but the host has a route to {network} by {route['device'] or route['type']}"
                    yield Finding(host.name, variable, found, "a network that no host has a route to")
    for family in FAMILY_KEYS:
        if not any(route["destination"] == "default" for route in host.probe["routes"][family]):
            yield Finding(
                host.name,
                f"default route {family}",
                "none",
                "one, so that pods can leave the cluster and service addresses have a route",
                level="warning",
            )
