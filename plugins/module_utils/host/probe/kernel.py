"""Which features a running kernel has: as a loaded module, built in, or as a module file that can be loaded.

Nothing is loaded or created to find out: a probe must leave the host as it was.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """How one kernel feature shows itself.

    symbol: its Kconfig symbol.
    module: its module; empty when the symbol is a yes/no part of another module.
    evidence: a path that exists only while the feature is there.
    """

    symbol: str
    module: str = ""
    evidence: str = ""


# Symbols and module names as in the Kconfig and Makefile files of Linux 5.10 to 7.3.
FEATURES: dict[str, Feature] = {
    "bridge": Feature("CONFIG_BRIDGE", "bridge"),
    "br_netfilter": Feature("CONFIG_BRIDGE_NETFILTER", "br_netfilter", "/proc/sys/net/bridge"),
    "dummy": Feature("CONFIG_DUMMY", "dummy"),
    "ip_set": Feature("CONFIG_IP_SET", "ip_set"),
    "ip_set_bitmap_port": Feature("CONFIG_IP_SET_BITMAP_PORT", "ip_set_bitmap_port"),
    "ip_set_hash_ip": Feature("CONFIG_IP_SET_HASH_IP", "ip_set_hash_ip"),
    "ip_set_hash_ipport": Feature("CONFIG_IP_SET_HASH_IPPORT", "ip_set_hash_ipport"),
    "ip_set_hash_ipportip": Feature("CONFIG_IP_SET_HASH_IPPORTIP", "ip_set_hash_ipportip"),
    "ip_set_hash_ipportnet": Feature("CONFIG_IP_SET_HASH_IPPORTNET", "ip_set_hash_ipportnet"),
    "ip_set_hash_net": Feature("CONFIG_IP_SET_HASH_NET", "ip_set_hash_net"),
    "ip_vs": Feature("CONFIG_IP_VS", "ip_vs", "/proc/net/ip_vs"),
    "ip_vs_ipv6": Feature("CONFIG_IP_VS_IPV6"),
    "ip_vs_nfct": Feature("CONFIG_IP_VS_NFCT"),
    "ip_vs_rr": Feature("CONFIG_IP_VS_RR", "ip_vs_rr"),
    "ip_vs_sh": Feature("CONFIG_IP_VS_SH", "ip_vs_sh"),
    "ip_vs_wrr": Feature("CONFIG_IP_VS_WRR", "ip_vs_wrr"),
    "iptable_nat": Feature("CONFIG_IP_NF_NAT", "iptable_nat"),
    "ip6table_nat": Feature("CONFIG_IP6_NF_NAT", "ip6table_nat"),
    "nf_conntrack": Feature("CONFIG_NF_CONNTRACK", "nf_conntrack", "/proc/sys/net/netfilter/nf_conntrack_max"),
    "nf_nat": Feature("CONFIG_NF_NAT", "nf_nat"),
    "nf_tables": Feature("CONFIG_NF_TABLES", "nf_tables"),
    "nft_chain_nat": Feature("CONFIG_NFT_NAT", "nft_chain_nat"),
    "nft_compat": Feature("CONFIG_NFT_COMPAT", "nft_compat"),
    "nft_fib_inet": Feature("CONFIG_NFT_FIB_INET", "nft_fib_inet"),
    "overlay": Feature("CONFIG_OVERLAY_FS", "overlay"),
    "veth": Feature("CONFIG_VETH", "veth"),
    "vxlan": Feature("CONFIG_VXLAN", "vxlan"),
    "xt_MASQUERADE": Feature("CONFIG_NETFILTER_XT_TARGET_MASQUERADE", "xt_MASQUERADE"),
    "xt_addrtype": Feature("CONFIG_NETFILTER_XT_MATCH_ADDRTYPE", "xt_addrtype"),
    "xt_comment": Feature("CONFIG_NETFILTER_XT_MATCH_COMMENT", "xt_comment"),
    "xt_conntrack": Feature("CONFIG_NETFILTER_XT_MATCH_CONNTRACK", "xt_conntrack"),
    "xt_mark": Feature("CONFIG_NETFILTER_XT_MARK", "xt_mark"),
    "xt_multiport": Feature("CONFIG_NETFILTER_XT_MATCH_MULTIPORT", "xt_multiport"),
    "xt_set": Feature("CONFIG_NETFILTER_XT_SET", "xt_set"),
    "xt_statistic": Feature("CONFIG_NETFILTER_XT_MATCH_STATISTIC", "xt_statistic"),
}


@dataclass(frozen=True)
class KernelEvidence:
    """What the host says about its kernel.

    config: symbols that are set, to ``y`` or ``m``; None when the host keeps no configuration.
    loaded, built_in, available: module names with underscores; available is None without a module tree.
    paths: those evidence paths and file systems that exist.
    """

    config: Mapping[str, str] | None
    loaded: frozenset[str]
    built_in: frozenset[str]
    available: frozenset[str] | None
    paths: frozenset[str]


def module_name(path: str) -> str:
    """The module's name for a file such as ``kernel/net/ip-vs.ko.xz``, with underscores as the kernel shows it."""
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def parse_config(lines: Iterable[str]) -> dict[str, str]:
    """Kconfig symbols that are set to ``y`` or ``m``."""
    pairs = (line.strip().split("=", 1) for line in lines if line.startswith("CONFIG_") and "=" in line)
    return {symbol: value for symbol, value in pairs if value in ("y", "m")}


def feature_state(feature: Feature, seen: KernelEvidence) -> tuple[str, str]:
    """State of one feature and what says so.

    The state is ``loaded``, ``built_in``, ``available`` (a module file is there), ``absent`` or ``unknown``.
    """
    module = feature.module.replace("-", "_")
    setting = None if seen.config is None else seen.config.get(feature.symbol, "n")
    if module and module in seen.loaded:
        return "loaded", "/proc/modules"
    if module and module in seen.built_in:
        return "built_in", "modules.builtin"
    if module and seen.available is not None and module in seen.available:
        return "available", "modules.dep"
    if feature.evidence and feature.evidence in seen.paths:
        return "built_in", feature.evidence
    if setting == "y":
        return "built_in", f"{feature.symbol}=y"
    if setting == "m":
        return "absent", f"{feature.symbol}=m, but no file {feature.module}.ko for the running kernel"
    if setting == "n":
        return "absent", f"{feature.symbol} is not set"
    if module and seen.available is not None:
        return "absent", "modules.dep"
    return "unknown", "no kernel configuration and no module tree on the host"


def features(seen: KernelEvidence) -> dict[str, dict[str, str]]:
    """State of every known feature by name: ``{"state": ..., "by": ...}``."""
    found = {name: feature_state(feature, seen) for name, feature in FEATURES.items()}
    if "overlay" in seen.paths and found["overlay"][0] in ("absent", "unknown"):
        found["overlay"] = ("built_in", "/proc/filesystems")
    return {name: {"state": state, "by": by} for name, (state, by) in found.items()}


def _lines(path: str) -> list[str] | None:
    """Lines of a text file (gzip by its suffix); None when it cannot be read."""
    try:
        if path.endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
                return stream.readlines()
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readlines()
    except OSError:
        return None


def evidence(release: str) -> KernelEvidence:
    """Read everything the host says about the kernel of that release."""
    tree = f"/lib/modules/{release}"
    config = None
    for path in ("/proc/config.gz", f"/boot/config-{release}", f"{tree}/config"):
        lines = _lines(path)
        if lines is not None:
            config = parse_config(lines)
            break
    dependencies = _lines(f"{tree}/modules.dep")
    available = None
    if dependencies is not None:
        available = frozenset(module_name(line.split(":", 1)[0]) for line in dependencies)
    paths = {feature.evidence for feature in FEATURES.values() if feature.evidence and os.path.exists(feature.evidence)}
    paths.update(line.split()[-1] for line in _lines("/proc/filesystems") or [] if line.strip())
    return KernelEvidence(
        config=config,
        loaded=frozenset(line.split()[0] for line in _lines("/proc/modules") or []),
        built_in=frozenset(module_name(line.strip()) for line in _lines(f"{tree}/modules.builtin") or []),
        available=available,
        paths=frozenset(paths),
    )
