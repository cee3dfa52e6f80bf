"""What an inventory must be, judged as a whole before any host is contacted: every error at once.

Pure functions over plain data: inventory/reader.py makes the data, action validate_inventory shows the findings.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import (
    BITS,
    FAMILIES,
    TITLES,
    Address,
    AddressError,
    Network,
    documentation,
    parse_address,
    parse_network,
    shown,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import HOSTS_FILE, Repeated, Variable
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import Declared, is_shared
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import mesh as mesh_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import observability as observability_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import scenarios as scenario_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenants as tenant_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.renamed import RENAMED
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster import CALICO_BLOCK_SIZE

GROUPS = ("control_plane", "worker")
COMMA_LISTS = ("scenarios_run",)  # for -e scenarios_run=S1,S5
FALLBACK = "group_vars/all"
COMMAND_LINE = "command line"
LOCALHOST = "localhost"
HOST_VARIABLES = ("ipv4", "ipv6", "ansible_host", "ansible_port")
# How alike two names must be for one to be a slip of the other. The first is asked of what follows a role's prefix, the
# second of whole names without such a prefix, which may be the user's own.
ALIKE, ALMOST_EQUAL = 0.5, 0.9
# RFC 1123 label, which Kubernetes asks of node names' parts, and a name made of such labels.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LONGEST_NAME = 253
SYNC_PERIOD = 30  # seconds; kube-proxy's own syncPeriod, which this must not exceed
# IPv6 does not run on links with less (RFC 8200, section 5); 9216 is the largest frame that common switches carry.
MTU_RANGE = (1280, 9216)
PORTS = (1, 65535)
UNPRIVILEGED_PORTS = (1024, 65535)
NODE_PORTS = (30000, 32767)
TAKEN_PORTS = {
    22: "SSH",
    179: "BGP",
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    9091: "Calico",
    9099: "Calico",
    10248: "kubelet",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
# kube-controller-manager numbers the parts of a pool with 16 bits (clusterSubnetMaxDiff of its node IPAM).
NODE_MASK_BITS = 16
# kube-apiserver takes Service networks of at most 20 bits: /12 and /108. At least 8 bits are asked here: kubeadm gives
# the tenth address to cluster DNS, and below 256 addresses Kubernetes keeps next to none apart for fixed ones.
SERVICE_BITS = (8, 20)


@dataclass(frozen=True)
class Unresolved:
    """A value whose expressions cannot be resolved. text: the value as it is written."""

    text: str


@dataclass(frozen=True)
class Inventory:
    """An inventory as plain data.

    groups: hosts by group, with ``all``. hosts: HOST_VARIABLES, and what looks like them, by host. settings: declared
    variables that are set, and all shared ones that have a default. differing: shared settings by (host, name) where a
    host has another value than the first one. variables: which file sets what. repeated: keys that are in a file twice.
    owners: (file, ``group`` or ``host``, its name) of everything in group_vars and host_vars.
    """

    groups: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    differing: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    owners: tuple[tuple[str, str, str], ...] = ()
    hosts_file: str = HOSTS_FILE

    def where(self, name: str, host: str = "") -> str:
        """The file that sets a variable for a host, or for all; FALLBACK when none does."""
        ranks = []
        for variable in self.variables:
            if variable.name == name and not (variable.kind == "host" and host and variable.owner != host):
                closeness = (variable.where == COMMAND_LINE, variable.kind == "host", variable.owner != "all")
                ranks.append((closeness, variable.where))
        return max(ranks)[1] if ranks else FALLBACK


@dataclass(frozen=True)
class Rules:
    """What the inventory is compared with. renamed: new names of variables by their old ones."""

    declared: Declared
    pairs: tuple[versions.Pair, ...]
    mesh_pairs: tuple[versions.Pair, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=lambda: RENAMED)


def load_rules() -> Rules:
    """The rules of this collection, from its roles and its table of versions."""
    return Rules(role_options.load(), versions.load_pairs(), versions.load_pairs(part="mesh_pairs"))


def check(inventory: Inventory, rules: Rules) -> list[Finding]:
    """Everything that is wrong with the inventory, and warnings, in stable order."""
    findings = [*_names(inventory, rules), *_files(inventory), *_values(inventory, rules)]
    settings = _usable(inventory, rules)
    nodes = _nodes(inventory, settings)
    networks, network_findings = _networks(inventory, settings)
    addresses, address_findings = _addresses(inventory)
    findings += network_findings + address_findings
    findings += _shape(inventory, settings)
    findings += _host_names(inventory)
    findings += _connections(inventory)
    findings += _overlaps(inventory, networks, addresses)
    findings += _pools(inventory, settings, networks, len(nodes))
    findings += _services(inventory, networks)
    findings += _numbers(inventory, settings)
    findings += _dns_names(inventory, settings)
    findings += _versions(inventory, settings, rules)
    findings += mesh_rules.check_mesh(settings, inventory.where)
    findings += tenant_rules.check_tenants(settings, rules.declared.defaults, inventory.where)
    findings += observability_rules.check_observability(settings, rules.declared.defaults, inventory.where)
    if not any(finding.field.startswith(tenant_rules.TENANTS) for finding in findings):
        findings += scenario_rules.check_scenarios(settings, inventory.where)
    return sorted(set(findings))


# --- names of variables -----------------------------------------------------------------------------------------


def _names(inventory: Inventory, rules: Rules) -> Iterator[Finding]:
    """Variables that no role has, by the name that was probably meant, and old names."""
    known = list(rules.declared.options)
    for variable in inventory.variables:
        name = variable.name
        if name in rules.renamed:
            yield Finding(variable.where, name, "an old name", rules.renamed[name])
        elif name in rules.declared.options:
            continue
        elif name.startswith(rules.declared.prefixes):
            close = _closest(name, rules.declared)
            expected = close or "a variable of docs/variables.md, or another prefix for your own"
            yield Finding(variable.where, name, "a variable that no role has", expected)
        elif not name.startswith("ansible_"):
            for close_name in difflib.get_close_matches(name.lower(), known, 1, ALMOST_EQUAL):
                yield Finding(variable.where, name, "a variable that no role has", close_name)


def _closest(name: str, declared: Declared) -> str:
    """The variable of the same role whose name is the most alike; empty when none is alike."""
    prefix = max((prefix for prefix in declared.prefixes if name.startswith(prefix)), key=len)
    rests = [option.removeprefix(prefix) for option in declared.options if option.startswith(prefix)]
    close = difflib.get_close_matches(name.removeprefix(prefix), rests, 1, ALIKE)
    return f"{prefix}{close[0]}" if close else ""


def _files(inventory: Inventory) -> Iterator[Finding]:
    """What Ansible passes over in silence: keys that are there twice, variables of nobody."""
    for repeated in inventory.repeated:
        lines = f"the key twice, in lines {repeated.lines[0]} and {repeated.lines[1]}"
        yield Finding(repeated.where, repeated.key, lines, "it once; the last one would win")
    known = {"group": list(inventory.groups), "host": list(inventory.groups["all"])}
    for where, kind, owner in inventory.owners:
        if owner not in known[kind] and owner != LOCALHOST:
            names = ", ".join(sorted(known[kind])) or f"a {kind} that there is"
            yield Finding(where, kind, f"{owner}, which no inventory file names", f"one of {names}")


# --- types ------------------------------------------------------------------------------------------------------


def _values(inventory: Inventory, rules: Rules) -> Iterator[Finding]:
    """Missing settings, settings of the wrong type, those that cannot be resolved or differ between hosts."""
    for name, option in rules.declared.options.items():
        value = inventory.settings.get(name)
        where = inventory.where(name)
        if isinstance(value, Unresolved):
            # Other roles' options may use what is known only later, for instance facts of a host.
            if is_shared(name):
                yield _unresolved(where, name, value, "all")
        elif value is None and (option.get("required") or name in inventory.settings):
            yield Finding(where, name, "nothing", _required(name, option))
        elif name in inventory.settings:
            expected = role_options.expected(_listed(name, value), option)
            if expected:
                yield Finding(where, name, shown(value), expected)
    for (host, name), value in inventory.differing.items():
        found = f"{_text(value)} for {host} and {_text(inventory.settings.get(name))} for others"
        yield Finding(inventory.where(name, host), name, found, "one value for all hosts")


def _unresolved(where: str, name: str, value: Unresolved, hosts: str) -> Finding:
    """A value with an expression that cannot be resolved."""
    command = f"ansible -i INVENTORY {hosts} -c local -m ansible.builtin.debug -a var={name}"
    return Finding(where, name, f"{value.text}, which cannot be resolved", "a value without unknown variables", command)


def _required(name: str, option: Mapping[str, Any]) -> str:
    """What a missing option should have been."""
    if name.endswith("_cidrs"):
        return "a list of an IPv4 and an IPv6 network; no family is ever guessed"
    return role_options.expected(None, option)


def _text(value: Any) -> str:
    """A value, or the text of one that could not be resolved."""
    return value.text if isinstance(value, Unresolved) else shown(value)


def _listed(name: str, value: Any) -> Any:
    """Names with commas between them as the list that the module which gets them makes of them."""
    return value.split(",") if name in COMMA_LISTS and isinstance(value, str) else value


def _usable(inventory: Inventory, rules: Rules) -> dict[str, Any]:
    """Settings of the right type, numbers as numbers: what the other rules may rely on."""
    usable: dict[str, Any] = {}
    for name, given in inventory.settings.items():
        option, value = rules.declared.options[name], _listed(name, given)
        if value is None or isinstance(value, Unresolved) or role_options.expected(value, option):
            continue
        usable[name] = int(value) if option.get("type") == "int" else value
    return usable


# --- hosts ------------------------------------------------------------------------------------------------------


def _nodes(inventory: Inventory, settings: Mapping[str, Any]) -> list[str]:
    """Hosts of the cluster, each once."""
    groups = [inventory.groups.get(name, ()) for name in GROUPS]
    return list(dict.fromkeys(host for group in groups for host in group))


def _shape(inventory: Inventory, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Both groups have hosts, each host is in one of them, and the control plane is one host."""
    where = inventory.hosts_file
    control_plane, worker = GROUPS
    for name in (control_plane, worker):
        if name not in inventory.groups:
            yield Finding(where, name, "no such group", "a group with at least one host")
        elif not inventory.groups[name]:
            yield Finding(where, name, "no host in the group", "at least one")
    count = len(inventory.groups.get(control_plane, ()))
    if count > 1 and count % 2 == 0:
        expected = "1; an even number of etcd members survives no more losses than one member less"
        yield Finding(where, control_plane, f"{count} hosts", expected)
    elif count > 1:
        yield Finding(where, control_plane, f"{count} hosts", "1: one control plane for now; three follow")
    for host in inventory.groups["all"]:
        owners = [name for name in (control_plane, worker) if host in inventory.groups.get(name, ())]
        if len(owners) == 2:
            yield Finding(host, "groups", f"{control_plane} and {worker}", "one of them")
        elif not owners and host != LOCALHOST:
            yield Finding(host, "groups", f"neither {control_plane} nor {worker}", "one of them")


def _host_names(inventory: Inventory) -> Iterator[Finding]:
    """Names become names of nodes: DNS labels, different even where case does not count."""
    first: dict[str, str] = {}
    for host in inventory.groups["all"]:
        if not LABEL.fullmatch(host):
            expected = "a DNS label: at most 63 lower-case letters, digits and hyphens"
            yield Finding(host, "inventory_hostname", host, expected)
        if host.lower() in first:
            found = f"{host}, which is {first[host.lower()]} where case does not count"
            yield Finding(host, "inventory_hostname", found, "a name of its own")
        first.setdefault(host.lower(), host)


def _addresses(inventory: Inventory) -> tuple[dict[tuple[str, str], Address], list[Finding]]:
    """Usable addresses by (host, family), and what is wrong with the others."""
    addresses: dict[tuple[str, str], Address] = {}
    findings: list[Finding] = []
    for host, variables in inventory.hosts.items():
        if host == LOCALHOST:
            continue
        for family in FAMILIES:
            value = variables.get(family)
            if isinstance(value, Unresolved):
                findings.append(_unresolved(host, family, value, host))
            elif value is None:
                expected = f"an {TITLES[family]} address; no family is ever guessed"
                findings.append(Finding(host, family, _nothing(variables, family), expected))
            else:
                try:
                    addresses[host, family] = parse_address(value, family)
                except AddressError as error:
                    findings.append(Finding(host, family, error.found, error.expected))
    for (host, family), address in addresses.items():
        findings += _documentation(host, family, address)
    owners: dict[Address, str] = {}
    for (host, family), address in addresses.items():
        owner = owners.setdefault(address, host)
        if owner != host:
            findings.append(Finding(host, family, f"{address}, which is {owner}'s", "an address of its own"))
    return addresses, findings


def _documentation(where: str, name: str, value: Address | Network) -> Iterator[Finding]:
    """A warning of what is meant for texts: other networks drop it, within one's own it works."""
    if within := documentation(value):
        found, expected = f"{value}, which is in {within}, meant for documentation", "a network of your own"
        yield Finding(where, name, found, expected, level="warning")


def _nothing(variables: Mapping[str, Any], family: str) -> str:
    """That an address is missing, and the variable that probably was meant to hold it."""
    others = [name for name in variables if name not in HOST_VARIABLES and family[-1] in name]
    return f"nothing, but {', '.join(sorted(others))}" if others else "nothing"


def _connections(inventory: Inventory) -> Iterator[Finding]:
    """No two hosts are reached in the same way."""
    first: dict[tuple[str, str], str] = {}
    for host, variables in inventory.hosts.items():
        bad = [name for name in ("ansible_host", "ansible_port") if isinstance(variables.get(name), Unresolved)]
        for name in bad:
            yield _unresolved(host, name, variables[name], host)
        if bad or host == LOCALHOST:
            continue
        address, port = str(variables.get("ansible_host") or host), str(variables.get("ansible_port") or 22)
        owner = first.setdefault((address, port), host)
        if owner != host:
            found = f"{address} port {port}, which is {owner}'s"
            yield Finding(host, "ansible_host", found, "an address or port of its own")


# --- networks ---------------------------------------------------------------------------------------------------


def _networks(
    inventory: Inventory, settings: Mapping[str, Any]
) -> tuple[dict[tuple[str, str], Network], list[Finding]]:
    """Usable networks by (``pod`` or ``service``, family), and what is wrong with the others."""
    networks: dict[tuple[str, str], Network] = {}
    findings = []
    for use in ("pod", "service"):
        name = f"{use}_cidrs"
        where, order = inventory.where(name), []
        for value in settings.get(name, ()):
            try:
                network = parse_network(value)
            except AddressError as error:
                findings.append(Finding(where, name, error.found, error.expected))
                # It has a family all the same: that one is not missing.
                order.append("ipv6" if ":" in str(value) else "ipv4")
                continue
            findings += _documentation(where, name, network)
            family = f"ipv{network.version}"
            if (use, family) in networks:
                found = f"{networks[use, family]} and {network}, both {TITLES[family]}"
                findings.append(Finding(where, name, found, "one network of each family"))
            else:
                networks[use, family] = network
            order.append(family)
        for family in FAMILIES:
            if name in settings and family not in order:
                expected = f"an {TITLES[family]} network too; no family is ever guessed"
                findings.append(Finding(where, name, f"no {TITLES[family]} network", expected))
        primary = settings.get("primary_family")
        # kubeadm hands the list on as it is; pods' networks may stand in any order.
        if use == "service" and len(set(order)) == len(FAMILIES) and primary in FAMILIES and order[0] != primary:
            expected = f"the {TITLES[primary]} network first, as primary_family says"
            hint = "kube-apiserver refuses a first one of another family than its own address"
            findings.append(Finding(where, name, f"{shown(settings[name][0])} first", f"{expected}; {hint}"))
    return networks, findings


def _overlaps(
    inventory: Inventory,
    networks: Mapping[tuple[str, str], Network],
    addresses: Mapping[tuple[str, str], Address],
) -> Iterator[Finding]:
    """Pods, Services and hosts have networks of their own in each family."""
    for family in FAMILIES:
        pod, service = networks.get(("pod", family)), networks.get(("service", family))
        if pod and service and pod.overlaps(service):
            found = f"{service}, which overlaps {pod} of pod_cidrs"
            yield Finding(inventory.where("service_cidrs"), "service_cidrs", found, "networks that share no address")
    for (host, family), address in addresses.items():
        for use in ("pod", "service"):
            network = networks.get((use, family))
            if network and address in network:
                found = f"{address}, which is in {network} of {use}_cidrs"
                yield Finding(host, family, found, "hosts outside the networks of pods and Services")


def _pools(
    inventory: Inventory, settings: Mapping[str, Any], networks: Mapping[tuple[str, str], Network], nodes: int
) -> Iterator[Finding]:
    """Every node gets its part of the pod network, from Kubernetes and from Calico."""
    for family in FAMILIES:
        name, pool = f"twinstack_node_mask_{family}", networks.get(("pod", family))
        mask = settings.get(name)
        where = inventory.where(name)
        if mask is not None and not 1 <= mask <= BITS[family]:
            yield Finding(where, name, str(mask), f"a prefix length of 1 to {BITS[family]}")
            continue
        if pool is None:
            continue
        block = CALICO_BLOCK_SIZE[family]
        if pool.prefixlen > block or 2 ** (block - pool.prefixlen) < nodes:
            field_name = "pod_cidrs"
            expected = f"room for a block of Calico's, a /{block}, for each of {nodes} hosts"
            yield Finding(inventory.where(field_name), field_name, str(pool), expected)
        if mask is None:
            continue
        found = f"{mask} with the pool {pool}"
        if mask < pool.prefixlen:
            yield Finding(where, name, found, f"{pool.prefixlen} or more: a node's part fits into the pool")
        elif mask - pool.prefixlen > NODE_MASK_BITS:
            expected = f"{pool.prefixlen + NODE_MASK_BITS} or less: kube-controller-manager's limit is 16 bits"
            yield Finding(where, name, found, expected)
        elif 2 ** (mask - pool.prefixlen) < nodes:
            parts = 2 ** (mask - pool.prefixlen)
            yield Finding(where, name, f"{found}: {_count(parts, 'part')}", f"a part for each of {nodes} hosts")


def _services(inventory: Inventory, networks: Mapping[tuple[str, str], Network]) -> Iterator[Finding]:
    """The Service networks have a size that kube-apiserver accepts and that leaves room."""
    for family in FAMILIES:
        network = networks.get(("service", family))
        if network is None:
            continue
        widest, narrowest = BITS[family] - SERVICE_BITS[1], BITS[family] - SERVICE_BITS[0]
        if not widest <= network.prefixlen <= narrowest:
            name = "service_cidrs"
            reason = "kube-apiserver takes no wider one" if network.prefixlen < widest else "256 addresses or more"
            yield Finding(inventory.where(name), name, str(network), f"/{widest} to /{narrowest}: {reason}")


def _count(number: int, word: str) -> str:
    """``1 part``, ``2 parts``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


# --- other settings -----------------------------------------------------------------------------------------------


def _numbers(inventory: Inventory, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """MTU, periods and ports are in their range, and ports are free."""
    mtu = settings.get("twinstack_mtu", 0)
    if mtu != 0 and not MTU_RANGE[0] <= mtu <= MTU_RANGE[1]:
        expected = f"0, or {MTU_RANGE[0]} (the least for IPv6) to {MTU_RANGE[1]}"
        yield Finding(inventory.where("twinstack_mtu"), "twinstack_mtu", str(mtu), expected)
    period = settings.get("twinstack_ipvs_min_sync_period", 0)
    if not 0 <= period <= SYNC_PERIOD:
        name, expected = "twinstack_ipvs_min_sync_period", f"0 to {SYNC_PERIOD} s: as long a Service may send to no pod"
        yield Finding(inventory.where(name), name, str(period), expected)
    api, tunnel = settings.get("twinstack_api_port"), settings.get("twinstack_api_tunnel_port")
    if api is not None:
        where = inventory.where("twinstack_api_port")
        if not PORTS[0] <= api <= PORTS[1]:
            yield Finding(where, "twinstack_api_port", str(api), f"a port of {PORTS[0]} to {PORTS[1]}")
        elif NODE_PORTS[0] <= api <= NODE_PORTS[1]:
            expected = f"a port outside {NODE_PORTS[0]} to {NODE_PORTS[1]}"
            yield Finding(where, "twinstack_api_port", f"{api}, which is a NodePort", expected)
        elif api in TAKEN_PORTS:
            found = f"{api}, a port of {TAKEN_PORTS[api]}"
            yield Finding(where, "twinstack_api_port", found, "one that is free on the control plane")
    if tunnel is not None:
        where = inventory.where("twinstack_api_tunnel_port")
        if not UNPRIVILEGED_PORTS[0] <= tunnel <= UNPRIVILEGED_PORTS[1]:
            expected = f"a port of {UNPRIVILEGED_PORTS[0]} to {UNPRIVILEGED_PORTS[1]}"
            yield Finding(where, "twinstack_api_tunnel_port", str(tunnel), expected)
        elif tunnel == api:
            found = f"{tunnel}, which is twinstack_api_port too"
            yield Finding(where, "twinstack_api_tunnel_port", found, "another port")


def _dns_names(inventory: Inventory, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Names of the cluster, its domain and its API are what DNS takes, and the API's is nobody else's."""
    cluster = settings.get("twinstack_cluster_name")
    if cluster is not None and not LABEL.fullmatch(cluster):
        where = inventory.where("twinstack_cluster_name")
        yield Finding(where, "twinstack_cluster_name", shown(cluster), "lower-case letters, digits and hyphens")
    for name in ("twinstack_cluster_domain", "twinstack_api_name"):
        value = settings.get(name)
        if value is None:
            continue
        if not _is_dns_name(value):
            yield Finding(inventory.where(name), name, shown(value), "a DNS name in lower case")
        elif name == "twinstack_api_name" and value in inventory.groups["all"]:
            found = f"{value}, which is a host's name"
            yield Finding(inventory.where(name), name, found, "a name of its own")


def _is_dns_name(text: str) -> bool:
    """Whether the text is a name made of DNS labels, and no address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= LONGEST_NAME and all(LABEL.fullmatch(label) for label in text.split("."))
    return False


def _versions(inventory: Inventory, settings: Mapping[str, Any], rules: Rules) -> Iterator[Finding]:
    """Versions that somebody has tried together, and a proxy mode that this Kubernetes has."""
    chosen = settings.get(versions.FIELD)
    if chosen is None:
        return
    yield from versions.check_versions(chosen, rules.pairs, inventory.where(versions.FIELD))
    mode, kubernetes = settings.get("twinstack_proxy_mode"), chosen.get("kubernetes")
    if isinstance(kubernetes, str):
        for name, field, tag in mesh_rules.tags(settings):
            yield from versions.check_istio(tag, kubernetes, rules.mesh_pairs, inventory.where(name), field)
    if mode is None or not isinstance(kubernetes, str):
        return
    try:
        yield from versions.check_proxy_mode(mode, kubernetes, inventory.where("twinstack_proxy_mode"))
    except ValueError:
        return  # check_versions has said so
