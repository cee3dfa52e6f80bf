"""A comparable picture of everything on a host that a cluster install could touch.

Two pictures of an untouched host are equal: values that change by themselves (counters, random numbers, expiry
times) are left out, and order that means nothing is sorted away.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network

Picture = dict[str, dict[str, str]]

# Kernel values that move by themselves (Documentation/admin-guide/sysctl of the kernel), or are secret.
VOLATILE_SYSCTLS = re.compile(
    r"^(fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*|binfmt_misc/.*)"
    r"|kernel/(random/.*|ns_last_pid|pty/nr|perf_.*|tainted|cad_pid|sched_domain/.*|bootloader_.*|core_pattern)"
    r"|net/netfilter/nf_conntrack_count|net/ipv4/tcp_fastopen_key|net/ipv6/conf/.*/stable_secret"
    r"|net/ipv[46]/route/(flush|gc_.*)|vm/(stat_refresh|compact_memory|drop_caches)|.*/(base_reachable_time|retrans_time))$"
)
# Directories whose direct entries are listed: what an install adds to them would otherwise go unseen.
LISTED_DIRECTORIES = (
    "/opt",
    "/opt/cni",
    "/usr/local/bin",
    "/usr/libexec",
    "/usr/libexec/kubernetes",
    "/var/lib",
    "/run",
)
VOLATILE_ENTRIES = re.compile(
    r"^/run/(utmp|motd.*|log|ssh.*|systemd|udev|user|sudo|lock|agetty.*|cloud-init.*|xtables.lock|initctl|blkid)$|^/var/lib/systemd$"
)
ETC = "/etc"


def files(root: str = ETC) -> dict[str, str]:
    """Type, mode, owner and content hash (or target) of every path below a directory."""
    result = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            found = os.lstat(path)
            what = f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
            if stat.S_ISLNK(found.st_mode):
                what += f" -> {os.readlink(path)}"
            elif stat.S_ISREG(found.st_mode):
                with open(path, "rb") as stream:
                    what += f" {hashlib.sha256(stream.read()).hexdigest()}"
            result[path] = what
    return result


def entries() -> dict[str, str]:
    """Direct entries of the listed directories."""
    paths = [
        os.path.join(folder, name)
        for folder in LISTED_DIRECTORIES
        if os.path.isdir(folder)
        for name in os.listdir(folder)
    ]
    return {path: "directory" if os.path.isdir(path) else "file" for path in paths if not VOLATILE_ENTRIES.match(path)}


def mounts(text: str) -> dict[str, str]:
    """Mount points with their file system out of /proc/self/mountinfo."""
    result = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        if not point.startswith(("/run/user/", "/run/credentials")):
            result[point] = " ".join(after.split()[:2])
    return result


def links(found: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Links with kind, MTU, state and permanent addresses."""
    return {
        name: f"kind={link['kind'] or '-'} mtu={link['mtu']} up={link['up']} "
        + " ".join(sorted(f"{item['address']}/{item['prefix']}" for item in link["addresses"]))
        for name, link in found.items()
    }


def routes() -> dict[str, str]:
    """Routes of every table and rules of both families, without expiry times and metrics of caches."""
    result = {}
    for family, flag in (("ipv4", "-4"), ("ipv6", "-6")):
        for line in network.output(["ip", flag, "route", "show", "table", "all"]).splitlines():
            route = re.sub(r" expires [0-9]+sec| (linkdown|dead)", "", line).strip()
            result[f"{family} {route}"] = "route"
        for line in network.output(["ip", flag, "rule", "show"]).splitlines():
            result[f"{family} rule {line.strip()}"] = "rule"
    return result


def normalised_save(tool: str, text: str) -> dict[str, str]:
    """Rules and chains of an ``iptables-save`` text without counters; an empty table that accepts is no table."""
    result: dict[str, str] = {}
    table = ""
    number = 0
    for line in text.splitlines():
        if line.startswith("*"):
            table, number = line[1:].strip(), 0
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            if policy != "ACCEPT":
                result[f"{tool} {table} {chain}"] = policy
        elif line.startswith(("-A", "[")):
            rule = re.sub(r"^\[[0-9:]+\] ", "", line)
            number += 1  # order matters within a table
            result[f"{tool} {table} {number:05d} {rule}"] = "rule"
    return result


def normalised_nft(text: str) -> dict[str, str]:
    """Rules, sets and chains of ``nft -j list ruleset`` without handles and counters.

    Base chains that accept and tables without anything in them are left out: ``iptables-nft`` creates them.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in ("handle", "packets", "bytes")}
        return [plain(item) for item in value] if isinstance(value, list) else value

    try:
        items = json.loads(text or "{}").get("nftables", [])
    except ValueError:
        return {"nft": "unreadable"}
    result: dict[str, str] = {}
    numbers: dict[str, int] = {}  # order matters within a table, not between tables
    for item in items:
        kind, body = next(iter(item.items()))
        if kind in ("metainfo", "table") or (kind == "chain" and body.get("policy") == "accept"):
            continue
        table = f"{body['family']} {body['table']}"
        numbers[table] = numbers.get(table, 0) + 1
        result[f"nft {table} {numbers[table]:05d} {kind}"] = json.dumps(plain(body), sort_keys=True)
    return result


def firewall() -> dict[str, str]:
    """Rules of both families in nft and in legacy iptables."""
    result = normalised_nft(network.output(["nft", "-j", "list", "ruleset"])) if shutil.which("nft") else {}
    for tool in ("iptables-legacy-save", "ip6tables-legacy-save"):
        if shutil.which(tool):
            result.update(normalised_save(tool, network.output([tool])))
    return result


def sysctls(root: str = "/proc/sys") -> dict[str, str]:
    """Every readable kernel value that does not move by itself, by path below /proc/sys."""
    result = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, root)
            if VOLATILE_SYSCTLS.match(key) or not os.stat(path).st_mode & stat.S_IRUSR:
                continue
            try:
                with open(path, encoding="utf-8", errors="replace") as stream:
                    result[key] = " ".join(stream.read().split())
            except OSError:
                continue
    return result


def take() -> Picture:
    """The whole picture of this host by subject, each a mapping of names to text."""
    units = network.output(
        ["systemctl", "list-unit-files", "--no-legend", "--state=enabled,enabled-runtime,masked,linked"]
    )
    packages = network.output(
        ["dpkg-query", "--show", "--showformat=${binary:Package}\t${Version} ${db:Status-Abbrev}\n"]
    )
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        mounted = mounts(stream.read())
    try:
        with open("/proc/net/ip_vs", encoding="ascii") as stream:
            virtual_services = {line.strip(): "ipvs" for line in stream.readlines()[3:]}
    except OSError:
        virtual_services = {}
    with open("/proc/swaps", encoding="utf-8") as stream:
        swap = {line.split()[0]: "swap" for line in stream.readlines()[1:]}
    return {
        "files": files(),
        "entries": entries(),
        "mounts": mounted,
        "links": links(network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))),
        "routes": routes(),
        "firewall": firewall(),
        "ipsets": dict.fromkeys(network.output(["ipset", "list", "-name"]).split(), "set"),
        "ipvs": virtual_services,
        "sysctls": sysctls(),
        "units": {line.split()[0]: line.split()[1] for line in units.splitlines() if len(line.split()) > 1},
        "packages": dict(line.split("\t", 1) for line in packages.splitlines() if "\t" in line),
        "swap": swap,
    }


def differences(before: Picture, after: Picture) -> list[str]:
    """What differs between two pictures, one line per name; empty when they are equal."""
    lines = []
    for subject in sorted(before.keys() | after.keys()):
        old, new = before.get(subject, {}), after.get(subject, {})
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                lines.append(f"{subject}: {name}: gone (was {old[name]})")
            elif name not in old:
                lines.append(f"{subject}: {name}: new ({new[name]})")
            elif old[name] != new[name]:
                lines.append(f"{subject}: {name}: was {old[name]}, is {new[name]}")
    return lines
