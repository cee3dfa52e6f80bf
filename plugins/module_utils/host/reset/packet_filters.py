"""Virtual services of IPVS, rules of iptables and nft, and sets of ipset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import Record, attempt

TABLE_TOOLS = {"iptables-legacy": "ip", "ip6tables-legacy": "ip6", "iptables-nft": "ip", "ip6tables-nft": "ip6"}


def find_ipvs(_record: Record) -> list[str]:
    """Virtual services, when there are any."""
    text = host_probe.read("/proc/net/ip_vs")
    services = [line for line in text.splitlines() if line.startswith(("TCP", "UDP", "SCTP", "FWM"))]
    return [f"{len(services)} virtual services"] if services else []


def clear_ipvs(_record: Record, _names: list[str]) -> None:
    """Empty the IPVS table of both families."""
    attempt(["ipvsadm", "--clear"])


def split_tables(text: str) -> dict[str, list[str]]:
    """Lines of an ``iptables-save`` text between a table's header and its COMMIT, by table."""
    tables: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name = line[1:].strip()
            tables[name] = []
        elif name and line and not line.startswith("#") and line != "COMMIT":
            tables[name].append(line)
    return tables


def foreign_lines(lines: Iterable[str]) -> list[str]:
    """Those chains and rules of a table that no cluster made."""
    return [line for line in lines if not network.is_own_rule(line)]


def is_untouched(lines: Iterable[str]) -> bool:
    """True for a table with nothing but built-in chains that accept."""
    return all(line.startswith(":") and line.split()[1] == "ACCEPT" for line in lines)


def restore_text(tables: dict[str, list[str]]) -> str:
    """Input of ``iptables-restore`` for some tables."""
    return "".join(f"*{name}\n" + "".join(f"{line}\n" for line in lines) + "COMMIT\n" for name, lines in tables.items())


def own_tables(tool: str) -> dict[str, list[str]]:
    """Tables of one iptables variant that hold our rules, reduced to what is foreign."""
    if not shutil.which(f"{tool}-save"):
        return {}
    tables = split_tables(network.output([f"{tool}-save", "--counters"]))
    cleaned = {name: foreign_lines(lines) for name, lines in tables.items()}
    return {name: lines for name, lines in cleaned.items() if lines != tables[name]}


def own_nft_tables() -> list[str]:
    """``family name`` of kube-proxy's and Calico's own nft tables."""
    text = network.output(["nft", "-j", "list", "tables"]) if shutil.which("nft") else ""
    items = [item["table"] for item in json.loads(text or "{}").get("nftables", []) if "table" in item]
    return [f"{item['family']} {item['name']}" for item in items if item["name"] in network.OWN_TABLES]


def find_rules(_record: Record) -> list[str]:
    """Tables that hold our rules: legacy, nft through iptables, and our own in nft."""
    names = [f"{tool} {table}" for tool in TABLE_TOOLS for table in own_tables(tool)]
    return [*names, *(f"nft {name}" for name in own_nft_tables())]


def remove_rules(_record: Record, _names: list[str]) -> None:
    """Take our chains and rules out of every table, and leave no empty table that only we made."""
    doomed = [f"delete table {name}\n" for name in own_nft_tables()]
    for tool, family in TABLE_TOOLS.items():
        tables = own_tables(tool)
        if tool.endswith("-nft") and shutil.which("nft"):
            doomed += [f"delete table {family} {name}\n" for name, lines in tables.items() if is_untouched(lines)]
            tables = {name: lines for name, lines in tables.items() if not is_untouched(lines)}
        if tables:
            attempt([f"{tool}-restore", "--counters"], restore_text(tables))
    if doomed:
        attempt(["nft", "-f", "-"], "".join(doomed))


def parse_ipsets(text: str) -> list[str]:
    """Own sets out of ``ipset list -terse``, sets of sets first."""
    names: list[tuple[bool, str]] = []
    for block in text.split("\n\n"):
        values = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        name = values.get("Name", "")
        if name.startswith(("KUBE-", "cali4", "cali6")):
            names.append((values.get("Type") != "list:set", name))
    return [name for _, name in sorted(names)]


def find_ipsets(_record: Record) -> list[str]:
    """Own sets of both families."""
    return parse_ipsets(network.output(["ipset", "list", "-terse"]))


def remove_ipsets(_record: Record, names: list[str]) -> None:
    """Destroy sets; one that is still in use fails alone."""
    attempt(["ipset", "-exist", "restore"], "".join(f"destroy {name}\n" for name in names))
    for name in find_ipsets(_record):
        attempt(["ipset", "destroy", name])
