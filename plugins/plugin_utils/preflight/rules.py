"""Judges what the probes found on the hosts: pure functions from probe results and settings to findings."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import RESET
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.retention import retention_bytes

FAMILIES = ("ipv4", "ipv6")
API_PORT = 6443  # by which OWN_PROGRAMS and CONTROL_PLANE_PORTS know the API's, whatever its number
# What the bundle's packages (bundle/debian.py: SUITE) and programs (bundle/go_build.py: GOARCH) are for.
SYSTEMS = {"debian": ("13",)}
ARCHITECTURES = ("x86_64",)
# VXLAN adds 50 bytes over IPv4 and 70 over IPv6; IPv6 needs 1280 inside (RFC 7348, RFC 8200).
VXLAN_OVERHEAD = 70
MINIMUM_MTU = 1280 + VXLAN_OVERHEAD
HAS_FEATURE = ("loaded", "built_in", "available")

# What kubelet, containerd and Calico need whatever the settings.
BASE_FEATURES = (
    "bridge",
    "br_netfilter",
    "ip_set",
    "ip_set_hash_ip",
    "ip_set_hash_net",
    "nf_conntrack",
    "nf_nat",
    "overlay",
    "veth",
    "xt_MASQUERADE",
    "xt_addrtype",
    "xt_comment",
    "xt_conntrack",
    "xt_mark",
    "xt_multiport",
    "xt_set",
)
# kube-proxy's documentation of its modes (pkg/proxy/ipvs/README.md, pkg/proxy/nftables).
PROXY_FEATURES = {
    "ipvs": (
        "dummy",
        "ip_set_bitmap_port",
        "ip_set_hash_ipport",
        "ip_set_hash_ipportip",
        "ip_set_hash_ipportnet",
        "ip_vs",
        "ip_vs_ipv6",
        "ip_vs_nfct",
        "ip_vs_rr",
    ),
    "nftables": ("nf_tables", "nft_chain_nat", "nft_fib_inet"),
}
# NAT for iptables in both families: the legacy tables, or nf_tables with its translation layer.
IPTABLES_BACKENDS = (("iptable_nat", "ip6table_nat"), ("nf_tables", "nft_compat", "nft_chain_nat"))

# Programs that hold the watched ports on a cluster of ours, by (protocol, port). "" is the kernel.
OWN_PROGRAMS = {
    ("tcp", 2379): ("etcd",),
    ("tcp", 2380): ("etcd",),
    ("tcp", 2381): ("etcd",),
    ("tcp", API_PORT): ("kube-apiserver",),
    ("tcp", 9091): ("calico-node",),
    ("tcp", 9099): ("calico-node",),
    ("tcp", 10248): ("kubelet",),
    ("tcp", 10249): ("kube-proxy",),
    ("tcp", 10250): ("kubelet",),
    ("tcp", 10256): ("kube-proxy",),
    ("tcp", 10257): ("kube-controller-manager",),
    ("tcp", 10259): ("kube-scheduler",),
    ("udp", 4789): ("",),
}
CONTROL_PLANE_PORTS = (2379, 2380, 2381, API_PORT, 10257, 10259)
# Routes that a cluster of ours makes: Calico's links and protocol numbers, kube-proxy's link.
OWN_ROUTE_DEVICES = ("cali", "vxlan.calico", "vxlan-v6.calico", "kube-ipvs0", "tunl0")
OWN_ROUTE_PROTOCOLS = ("80", "bird")


@dataclass(frozen=True)
class Settings:
    """What the cluster wants of its hosts.

    cidrs: networks by variable, ``pod_cidrs`` and ``service_cidrs``. mtu: of pods, 0 = free.
    metrics_host: who keeps Prometheus' data, empty = nobody; metrics_size: how much of it, as Prometheus
    reads it, empty = the role's own, which fits wherever a cluster fits.
    """

    cluster: str
    api_port: int
    mtu: int
    proxy_mode: str
    encapsulation: str
    cidrs: Mapping[str, Sequence[str]]
    min_cpus: int
    min_memory_mb: int
    min_disk_gb: float
    cgroup_controllers: Sequence[str]
    max_clock_offset_seconds: float
    swap_is_turned_off: bool
    foreign_firewall: str
    control_plane: Sequence[str] = field(default_factory=tuple)
    metrics_host: str = ""
    metrics_size: str = ""


@dataclass(frozen=True)
class Host:
    """One host: its addresses by family and the results of its two probes."""

    name: str
    addresses: Mapping[str, str]
    probe: Mapping[str, Any]
    peers: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """True when this project has installed or begun to install here, so its own state is no obstacle."""
        return bool(self.probe["own"]["present"])


def same_address(one: str, other: str) -> bool:
    """True when two spellings are the same address."""
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


def link_of(host: Host, family: str) -> tuple[str, Mapping[str, Any], Mapping[str, Any]] | None:
    """Name, link and address entry where the host's address of a family is; None when it is on no link."""
    for name, link in host.probe["links"].items():
        for item in link["addresses"]:
            if item["family"] == family and same_address(item["address"], host.addresses[family]):
                return name, link, item
    return None


# --- the host itself ------------------------------------------------------------------------------------------


def check_system(host: Host, _settings: Settings) -> Iterator[Finding]:
    """Distribution and architecture."""
    system = host.probe["os"]
    served = ", ".join(f"{name} {' '.join(versions)}" for name, versions in SYSTEMS.items())
    if system["version"] not in SYSTEMS.get(system["id"], ()):
        found = system["name"] or f"{system['id']} {system['version']}".strip() or "no /etc/os-release"
        yield Finding(host.name, "os", found, f"{served}, for which the bundle has packages")
    if host.probe["architecture"] not in ARCHITECTURES:
        yield Finding(host.name, "architecture", host.probe["architecture"], " or ".join(ARCHITECTURES))


def check_cgroups(host: Host, settings: Settings) -> Iterator[Finding]:
    """The unified hierarchy, which kubelet demands from 1.35 on, and its controllers."""
    cgroups = host.probe["cgroups"]
    if cgroups["version"] != 2:
        hint = "boot with systemd.unified_cgroup_hierarchy=1"
        yield Finding(host.name, "cgroups.version", str(cgroups["version"]), "2 (kubelet refuses 1 since 1.35)", hint)
        return
    missing = [name for name in settings.cgroup_controllers if name not in cgroups["controllers"]]
    if missing:
        yield Finding(
            host.name,
            "cgroups.controllers",
            f"no {', '.join(missing)}",
            ", ".join(settings.cgroup_controllers),
            "look for cgroup_disable= on the kernel command line; or set preflight_cgroup_controllers",
        )


def wanted_features(settings: Settings) -> list[str]:
    """Kernel features that the settings ask for."""
    wanted = [*BASE_FEATURES, *PROXY_FEATURES.get(settings.proxy_mode, ())]
    return [*wanted, *(["vxlan"] if settings.encapsulation != "None" else [])]


def check_kernel(host: Host, settings: Settings) -> Iterator[Finding]:
    """Kernel features, whether module or built in."""
    features = host.probe["features"]
    release = host.probe["kernel"]

    def state(name: str) -> str:
        return str(features[name]["state"])

    for name in wanted_features(settings):
        if state(name) == "absent":
            hint = "install the kernel's full module package (Ubuntu: linux-modules-extra) or another kernel"
            if "no file" in features[name]["by"]:
                hint = f"boot the installed kernel: no modules are on disk for the running {release}"
            yield Finding(host.name, f"kernel.{name}", features[name]["by"], "loaded, built in, or a module", hint)
        elif state(name) == "unknown":
            yield Finding(host.name, f"kernel.{name}", features[name]["by"], "evidence of the feature", level="warning")
    complete = [backend for backend in IPTABLES_BACKENDS if all(state(name) in HAS_FEATURE for name in backend)]
    absent = [backend for backend in IPTABLES_BACKENDS if any(state(name) == "absent" for name in backend)]
    if not complete and len(absent) == len(IPTABLES_BACKENDS):
        expected = " or ".join(" + ".join(backend) for backend in IPTABLES_BACKENDS)
        yield Finding(host.name, "kernel.iptables_nat", "neither back end in both families", expected)


def check_size(host: Host, settings: Settings) -> Iterator[Finding]:
    """Processors, memory and disk."""
    probe = host.probe
    if probe["cpus"] < settings.min_cpus:
        yield Finding(host.name, "cpus", str(probe["cpus"]), f"at least {settings.min_cpus} (preflight_min_cpus)")
    if probe["memory"]["total_mb"] < settings.min_memory_mb:
        expected = f"at least {settings.min_memory_mb} MiB (preflight_min_memory_mb)"
        yield Finding(host.name, "memory", f"{probe['memory']['total_mb']} MiB", expected)
    # What a finished install has taken is not asked for again.
    if probe["disk_free_gb"] < settings.min_disk_gb and not host.ours:
        expected = f"at least {settings.min_disk_gb:g} GiB (preflight_min_disk_gb)"
        yield Finding(host.name, "disk free in /var", f"{probe['disk_free_gb']:g} GiB", expected)
    kept = (retention_bytes(settings.metrics_size) or 0) / 2**30 if host.name == settings.metrics_host else 0
    if kept > probe["metrics_disk_gb"]:
        expected = f"at least observability_prometheus_retention_size, {settings.metrics_size}"
        yield Finding(
            host.name, "disk for observability_prometheus_storage_path", f"{probe['metrics_disk_gb']:g} GiB", expected
        )


def check_swap(host: Host, settings: Settings) -> Iterator[Finding]:
    """Swap, which kubelet refuses."""
    if host.probe["swap"] and not settings.swap_is_turned_off:
        found = ", ".join(host.probe["swap"])
        yield Finding(host.name, "swap", found, "none", "set twinstack_swap_off: true, or swapoff --all")


def check_own_record(host: Host, _settings: Settings) -> Iterator[Finding]:
    """The record of our own changes must be readable: without it nothing can be undone."""
    if host.probe["own"]["error"]:
        yield Finding(host.name, "/etc/twinstack/host.json", host.probe["own"]["error"], "the record as it was written")


def check_cluster(host: Host, settings: Settings) -> Iterator[Finding]:
    """A host of another cluster of ours: all that is on it looks like our own."""
    other = host.probe["own"]["cluster"]
    if other and other != settings.cluster:
        hint = RESET.replace("CLUSTER", other)
        yield Finding(host.name, "cluster", f"a host of cluster {other}", f"{settings.cluster}, or a bare host", hint)


def check_ports(host: Host, settings: Settings) -> Iterator[Finding]:
    """Ports of the cluster that something else holds."""
    holders: dict[tuple[str, int], set[str]] = defaultdict(set)
    for item in host.probe["ports"]:
        known = API_PORT if item["port"] == settings.api_port else item["port"]
        if known in CONTROL_PLANE_PORTS and host.name not in settings.control_plane:
            continue
        if item["port"] == 4789 and settings.encapsulation == "None":
            continue
        if host.ours and item["program"] in OWN_PROGRAMS[(item["protocol"], known)]:
            continue
        holders[(item["protocol"], item["port"])].add(item["program"] or "the kernel")
    for (protocol, port), programs in sorted(holders.items()):
        hint = RESET if programs & {"kubelet", "kube-apiserver", "etcd", "kube-proxy"} else f"ss -lnp 'sport = {port}'"
        yield Finding(host.name, f"port {port}/{protocol}", f"held by {', '.join(sorted(programs))}", "free", hint)


def check_stale(host: Host, _settings: Settings) -> Iterator[Finding]:
    """Traces of a cluster that this project has not made."""
    if host.ours:
        return
    stale = host.probe["stale"]
    hint = "remove it the way it was installed (kubeadm reset); or, where nothing of it is needed, reset.yml "
    hint += "with -e reset_without_record=true"
    if stale["paths"]:
        yield Finding(host.name, "stale state", ", ".join(stale["paths"]), "no such paths", hint)
    if stale["links"]:
        yield Finding(host.name, "stale links", ", ".join(stale["links"]), "no such links", hint)
    if stale["ipvs_services"]:
        yield Finding(host.name, "IPVS", f"{stale['ipvs_services']} virtual services", "none", "ipvsadm --clear")


def check_firewall(host: Host, settings: Settings) -> Iterator[Finding]:
    """Rules that no cluster made: a dropping policy breaks pods, other rules may."""
    for table in host.probe["firewall"]:
        where = f"firewall {table['tool']} {table['table']}"
        blocking = {chain: policy for chain, policy in table["policies"].items() if chain.lower() != "output"}
        hint = "ufw disable; systemctl disable --now nftables firewalld; or preflight_foreign_firewall: warn"
        if blocking:
            found = ", ".join(f"{chain} policy {policy}" for chain, policy in sorted(blocking.items()))
            level = "error" if settings.foreign_firewall == "refuse" else "warning"
            yield Finding(host.name, where, found, "policy ACCEPT", hint, level)
        if table["rules"]:
            found = f"{table['rules']} rule{'' if table['rules'] == 1 else 's'} that no cluster made"
            yield Finding(host.name, where, found, "no rule that stops cluster traffic", hint, "warning")


# --- its network ----------------------------------------------------------------------------------------------


def check_addresses(host: Host, _settings: Settings) -> Iterator[Finding]:
    """Both addresses are on a link that is up, usable, and leave room for VXLAN."""
    for family in FAMILIES:
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
    rooms = {place[0]: int(place[1]["mtu"]) - overhead for family in FAMILIES if (place := link_of(host, family))}
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
    for family in FAMILIES:
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
    for family in FAMILIES:
        if not any(route["destination"] == "default" for route in host.probe["routes"][family]):
            yield Finding(
                host.name,
                f"default route {family}",
                "none",
                "one, so that pods can leave the cluster and service addresses have a route",
                level="warning",
            )


HOST_CHECKS = (
    check_own_record,
    check_cluster,
    check_system,
    check_cgroups,
    check_kernel,
    check_size,
    check_swap,
    check_ports,
    check_stale,
    check_firewall,
    check_addresses,
    check_pod_mtu,
    check_router_advertisements,
    check_disabled_ipv6,
    check_routes,
)


# --- hosts among each other -----------------------------------------------------------------------------------


def check_equality(hosts: Sequence[Host]) -> Iterator[Finding]:
    """What must be equal on all hosts, and what must not."""
    for family in FAMILIES:
        places = {host.name: link_of(host, family) for host in hosts}
        mtus = {name: int(place[1]["mtu"]) for name, place in places.items() if place}
        if len(set(mtus.values())) > 1:
            usual_mtu = Counter(mtus.values()).most_common(1)[0][0]
            for name, mtu in sorted(mtus.items()):
                if mtu != usual_mtu:
                    yield Finding(name, f"mtu of the {family} link", str(mtu), f"{usual_mtu}, as on the other hosts")
    for field_name, label in (("machine_id", "/etc/machine-id"), ("hostname", "host name")):
        owners: dict[str, list[str]] = defaultdict(list)
        for host in hosts:
            owners[host.probe[field_name]].append(host.name)
        for value, names in sorted(owners.items()):
            if len(names) > 1:
                hint = "rm /etc/machine-id; systemd-machine-id-setup; reboot" if field_name == "machine_id" else ""
                yield Finding(", ".join(sorted(names)), label, f"the same, {value}", "one of its own per host", hint)


def check_clocks(hosts: Sequence[Host], limit: float) -> Iterator[Finding]:
    """Clock offsets measured between the hosts, each pair once; unsynchronised clocks as a warning."""
    for host in hosts:
        offsets = {}
        for peer, families in host.peers.get("peers", {}).items():
            values = [pair["clock_offset_seconds"] for pair in families.values()]
            known = [value for value in values if value is not None]
            if known:
                offsets[peer] = min(known, key=abs)
        for peer, offset in sorted(offsets.items()):
            if abs(offset) > limit and host.name < peer:
                yield Finding(
                    f"{host.name} -> {peer}",
                    "clock",
                    f"{peer} is {abs(offset):.3f} s {'ahead' if offset > 0 else 'behind'}",
                    f"at most {limit:g} s (preflight_max_clock_offset_seconds)",
                    "timedatectl timesync-status; node_prep_time_servers",
                )


def check_pair(host: Host, peer: str, family: str, pair: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """One way from one host to another in one family."""
    where = f"{host.name} -> {peer}"
    flag = "-6" if family == "ipv6" else "-4"
    errors = pair["errors"]
    if not pair["reachable"]:
        found = f"no answer from {pair['address']}" + (f" ({errors['ping']})" if "ping" in errors else "")
        yield Finding(where, f"{family} reachability", found, "an answer by UDP", f"ping {flag} -c 3 {pair['address']}")
        if not pair["tcp"]:
            return
    elif not pair["tcp"]:
        found = f"no connection ({errors.get('tcp', 'no answer')})"
        yield Finding(where, f"{family} TCP", found, "a connection", "look for a firewall between the hosts")
    if pair["reachable"] and pair["link_mtu"] and pair["path_mtu"] < pair["link_mtu"]:
        found = f"{pair['path_mtu']}" if pair["path_mtu"] else "no size got through"
        size = pair["link_mtu"] - (48 if family == "ipv6" else 28)
        yield Finding(
            where,
            f"{family} path MTU",
            found,
            f"{pair['link_mtu']}, the MTU of the host's link",
            f"ping {flag} -M do -s {size} -c 3 {pair['address']}; or lower the link's MTU on all hosts",
        )
    if settings.encapsulation != "None" and pair["reachable"] and not pair["vxlan"] and not pair["vxlan_skipped"]:
        hint = "allow UDP 4789 between the hosts"
        yield Finding(where, f"{family} UDP 4789 (VXLAN)", "no answer", "an answer", hint)


def check_peers(host: Host, settings: Settings) -> Iterator[Finding]:
    """Every way out of one host."""
    for family, kinds in host.peers.get("bind_errors", {}).items():
        reasons = {kind: reason for kind, reason in kinds.items() if kind != "vxlan"}
        if reasons and link_of(host, family):
            found = ", ".join(f"{kind}: {reason}" for kind, reason in sorted(reasons.items()))
            yield Finding(host.name, f"{family} probe port", found, "a free port", "set preflight_probe_port")
    for peer, families in sorted(host.peers.get("peers", {}).items()):
        for family in FAMILIES:
            if link_of(host, family):  # a missing address has a finding of its own
                yield from check_pair(host, peer, family, families[family], settings)


def check_hosts(hosts: Sequence[Host], settings: Settings) -> list[Finding]:
    """All findings about all hosts, in the order of hosts, then of subjects."""
    findings: list[Finding] = []
    for host in hosts:
        for check in HOST_CHECKS:
            findings += check(host, settings)
    findings += check_equality(hosts)
    findings += check_clocks(hosts, settings.max_clock_offset_seconds)
    for host in hosts:
        findings += check_peers(host, settings)
    unsynchronised = [host.name for host in hosts if host.probe["clock"]["synchronised"] is False]
    if unsynchronised:
        found = "no time service has set it"
        expected = "a clock kept by NTP"
        findings.append(
            Finding(", ".join(unsynchronised), "clock", found, expected, "node_prep_time_servers", "warning")
        )
    return findings


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that differ only in the host as one, in the order of their first."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, where=""), []).append(finding.where)
    return [replace(finding, where=", ".join(names)) for finding, names in places.items()]
