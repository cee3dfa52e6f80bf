"""What a host's network looks like to a checker: links and addresses, routes, open ports, firewall rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FAMILIES = ("ipv4", "ipv6")
ADDRESS_FLAGS = ("tentative", "dadfailed", "deprecated", "dynamic", "mngtmpaddr")
# Kubernetes' ports and protocols page without the API's, which the inventory chooses; 4789 is VXLAN (IANA), 9091
# and 9099 are Felix' metrics and health (Calico's requirements).
PORTS: dict[str, tuple[int, ...]] = {
    "tcp": (2379, 2380, 2381, 9091, 9099, 10248, 10249, 10250, 10256, 10257, 10259),
    "udp": (4789,),
}
# States of include/net/tcp_states.h as /proc/net shows them: a listening TCP socket, an unconnected UDP socket.
LISTENING = {"tcp": "0A", "udp": "07"}
# Chains, sets and comments of kubelet and kube-proxy, of Calico, and of the CNI plugins.
OWN_RULE = re.compile(r"\b(KUBE-|CNI-|cali[-:0-9])")
OWN_TABLES = ("kube-proxy", "calico")
# Tables that iptables-nft keeps in nf_tables. Only its own tools show their rules in full (comments, targets).
IPTABLES_TABLES = ("filter", "nat", "mangle", "raw", "security")
MAX_ROUTES = 2000


def output(argv: Sequence[str], timeout: float = 10.0, stdin: str = "") -> str:
    """Standard output of a command; empty when it is missing, fails or takes longer than the timeout (seconds)."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def json_output(argv: Sequence[str]) -> list[dict[str, Any]]:
    """A list of objects printed by an ``ip -j`` command; empty when there is none."""
    text = output(argv)
    try:
        return [item for item in json.loads(text or "[]") if isinstance(item, dict) and item]
    except ValueError:
        return []


# --- links, addresses, routes ---------------------------------------------------------------------------------


def links(shown: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Links by name out of ``ip -j -d address show``: MTU (bytes), state, kind, flags and addresses."""
    result: dict[str, dict[str, Any]] = {}
    for link in shown:
        if "ifname" not in link:
            continue
        addresses = []
        for address in link.get("addr_info", []):
            if "local" not in address:
                continue
            addresses.append(
                {
                    "family": "ipv6" if address.get("family") == "inet6" else "ipv4",
                    "address": address["local"],
                    "prefix": address.get("prefixlen", 0),
                    "scope": address.get("scope", ""),
                    "flags": [flag for flag in ADDRESS_FLAGS if address.get(flag)],
                }
            )
        result[link["ifname"]] = {
            "mtu": link.get("mtu", 0),
            "up": "UP" in link.get("flags", []),
            "running": "LOWER_UP" in link.get("flags", []),
            "kind": link.get("linkinfo", {}).get("info_kind", ""),
            "vxlan_port": link.get("linkinfo", {}).get("info_data", {}).get("port", 0),
            "addresses": addresses,
        }
    return result


def routes(shown: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Routes out of ``ip -j route show``: destination, type, device, gateway, protocol (a name or number as text)."""
    return [
        {
            "destination": route["dst"],
            "type": route.get("type", "unicast"),
            "device": route.get("dev", ""),
            "gateway": route.get("gateway", ""),
            "protocol": str(route.get("protocol", "")),
        }
        for route in list(shown)[:MAX_ROUTES]
        if "dst" in route
    ]


# --- ports ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Socket:
    """A listening socket on one of the watched ports."""

    protocol: str
    port: int
    family: str
    inode: int


def listening(protocol: str, family: str, lines: Iterable[str], ports: Sequence[int]) -> list[Socket]:
    """Sockets that listen on the given ports out of the lines of /proc/net/{tcp,tcp6,udp,udp6}."""
    found = []
    for line in lines:
        columns = line.split()
        if len(columns) < 10 or columns[3] != LISTENING[protocol]:
            continue
        port = int(columns[1].rsplit(":", 1)[1], 16)
        if port in ports:
            found.append(Socket(protocol, port, family, int(columns[9])))
    return found


def socket_owners(inodes: Iterable[int]) -> dict[int, str]:
    """Program names by socket inode, looked up in /proc; sockets of the kernel have no program."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    owners: dict[int, str] = {}
    for process in os.listdir("/proc"):
        if not wanted.keys() - {f"socket:[{inode}]" for inode in owners}:
            break
        if not process.isdigit():
            continue
        try:
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                target = os.readlink(f"/proc/{process}/fd/{descriptor}")
                if target in wanted:
                    owners[wanted[target]] = program(process)
        except OSError:
            continue  # the process ended, or the descriptor was closed meanwhile
    return owners


def program(process: str) -> str:
    """Base name of a process's executable."""
    try:
        # Not its executable: the artifacts' store names files by their hash, and links give them their names.
        with open(f"/proc/{process}/cmdline", "rb") as stream:
            return os.path.basename(stream.read().split(b"\0", 1)[0].decode(errors="replace"))
    except OSError:
        return "unknown"


def open_ports(api_port: int) -> list[dict[str, Any]]:
    """Watched ports that are listened on: protocol, port, family and program ("" for the kernel itself)."""
    sockets = []
    for protocol, ports in (PORTS | {"tcp": (*PORTS["tcp"], api_port)}).items():
        for family in FAMILIES:
            path = f"/proc/net/{protocol}{'6' if family == 'ipv6' else ''}"
            try:
                with open(path, encoding="ascii") as stream:
                    sockets += listening(protocol, family, stream.readlines()[1:], ports)
            except OSError:
                continue
    owners = socket_owners(socket.inode for socket in sockets) if sockets else {}
    return [
        {
            **{key: value for key, value in asdict(socket).items() if key != "inode"},
            "program": owners.get(socket.inode, ""),
        }
        for socket in sorted(sockets, key=lambda socket: (socket.protocol, socket.port, socket.family))
    ]


# --- firewall -------------------------------------------------------------------------------------------------


def is_own_rule(text: str) -> bool:
    """True for a rule or chain (any of its usual spellings) that Kubernetes, Calico or the CNI plugins made."""
    return OWN_RULE.search(text) is not None


def summarise_save(tool: str, text: str) -> list[dict[str, Any]]:
    """Per table of an ``iptables-save`` text: number of foreign rules and chains whose policy is not ACCEPT."""
    tables: list[dict[str, Any]] = []
    for line in text.splitlines():
        if line.startswith("*"):
            tables.append({"tool": tool, "table": line[1:].strip(), "rules": 0, "policies": {}})
        elif not tables:
            continue
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            if policy not in ("ACCEPT", "-"):
                tables[-1]["policies"][chain] = policy
        elif line.startswith(("-A", "[")) and not is_own_rule(line):
            tables[-1]["rules"] += 1
    return [table for table in tables if table["rules"] or table["policies"]]


def summarise_nft(text: str, skipped: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Per table of ``nft -j list ruleset``: number of foreign rules and base chains whose policy drops.

    skipped: tables (``family name``) that are looked at elsewhere.
    """
    try:
        items = json.loads(text or "{}").get("nftables", [])
    except ValueError:
        return []
    tables: dict[str, dict[str, Any]] = {}
    for item in items:
        kind, body = next(iter(item.items()))
        if kind not in ("table", "chain", "rule"):
            continue
        name = f"{body['family']} {body['name'] if kind == 'table' else body['table']}"
        if name in skipped or name.split()[1] in OWN_TABLES:
            continue
        table = tables.setdefault(name, {"tool": "nft", "table": name, "rules": 0, "policies": {}})
        if kind == "chain" and body.get("policy") == "drop":
            table["policies"][body["name"]] = "DROP"
        elif kind == "rule" and not is_own_rule(json.dumps(body)):
            table["rules"] += 1
    return [table for table in tables.values() if table["rules"] or table["policies"]]


def firewall(kernel_has: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Tables with foreign rules or dropping policies in both families, from nft and from legacy iptables.

    kernel_has says whether a module is loaded or built in: running ``nft`` would load nf_tables otherwise, and
    without it there can be no rule anyway. Legacy tools read /proc and load nothing.
    """
    tables: list[dict[str, Any]] = []
    seen_by_iptables: list[str] = []
    if kernel_has("nf_tables"):
        for tool, family in (("iptables-nft-save", "ip"), ("ip6tables-nft-save", "ip6")):
            if shutil.which(tool):
                tables += summarise_save(tool, output([tool]))
                seen_by_iptables += [f"{family} {name}" for name in IPTABLES_TABLES]
        if shutil.which("nft"):
            tables += summarise_nft(output(["nft", "-j", "list", "ruleset"]), seen_by_iptables)
    for tool in ("iptables-legacy-save", "ip6tables-legacy-save"):
        tables += summarise_save(tool, output([tool]) if shutil.which(tool) else "")
    return tables
