"""The host's system: distribution, architecture, cgroups, and what its kernel can do. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings

# What the bundle's programs (bundle/go_build.py: GOARCH) are for.
ARCHITECTURES = ("x86_64",)
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


def check_system(host: Host, settings: Settings) -> Iterator[Finding]:
    """Distribution and architecture."""
    system = host.probe["os"]
    served = ", ".join(f"{name} {' '.join(versions)}" for name, versions in settings.systems.items())
    if system["version"] not in settings.systems.get(system["id"], ()):
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
    """Kernel features that the settings need."""
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
