"""What the cluster takes of a host: processors, memory, disk, swap that is off, and ports. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.host.kubeadm import RESET
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.retention import retention_bytes
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings

API_PORT = 6443  # by which OWN_PROGRAMS and CONTROL_PLANE_PORTS know the API's, whatever its number
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


def check_size(host: Host, settings: Settings) -> Iterator[Finding]:
    """Processors, memory and disk."""
    probe = host.probe
    if probe["cpus"] < settings.min_cpus:
        yield Finding(host.name, "cpus", str(probe["cpus"]), f"at least {settings.min_cpus} (preflight_min_cpus)")
    if probe["memory"]["total_mb"] < settings.min_memory_mb:
        expected = f"at least {settings.min_memory_mb} MiB (preflight_min_memory_mb)"
        yield Finding(host.name, "memory", f"{probe['memory']['total_mb']} MiB", expected)
    # What a finished install has taken is not required again.
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
