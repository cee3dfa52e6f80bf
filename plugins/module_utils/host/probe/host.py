"""Everything that preflight wants to know of one host, read in one go and without changing anything."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host import running
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import files, kernel, network, node

# Paths that hold something only after a Kubernetes, etcd, containerd or CNI install.
STALE_PATHS = (
    "/etc/kubernetes",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/lib/calico",
    "/var/lib/containerd",
    "/etc/cni/net.d",
    "/run/containerd/containerd.sock",
)
# Links that kube-proxy and the usual CNI plugins leave behind; "*" stands for any ending.
STALE_LINKS = (
    "cali*",
    "vxlan.calico",
    "vxlan-v6.calico",
    "kube-ipvs0",
    "cni0",
    "flannel.*",
    "cilium_*",
    "nodelocaldns",
)
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised

read = files.read  # the name by which the stages of reset know it


def parse_os_release(text: str) -> dict[str, str]:
    """id, version and name out of os-release(5)."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    values = {key: value.strip().strip("\"'") for key, value in pairs.items()}
    return {
        "id": values.get("ID", ""),
        "version": values.get("VERSION_ID", ""),
        "name": values.get("PRETTY_NAME", ""),
    }


def parse_meminfo(text: str) -> dict[str, int]:
    """Total and available memory in MiB out of /proc/meminfo (which counts KiB)."""
    values = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if len(line.split()) >= 2}
    return {"total_mb": values.get("MemTotal", 0) // 1024, "available_mb": values.get("MemAvailable", 0) // 1024}


def cgroups() -> dict[str, Any]:
    """Version of the unified hierarchy and its controllers."""
    controllers = read("/sys/fs/cgroup/cgroup.controllers")
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    return {"version": 2 if unified else 1, "controllers": sorted(controllers.split())}


def swaps() -> list[str]:
    """Devices and files in use as swap."""
    return [line.split()[0] for line in read("/proc/swaps").splitlines()[1:] if line.strip()]


def clock_synchronised() -> bool | None:
    """Whether the kernel says that its clock is kept in time; None when it cannot be asked."""
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex, all zero: modes 0 only reads
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR


def is_stale_link(name: str) -> bool:
    """True for a link that kube-proxy or a CNI plugin made."""
    return any(name.startswith(want[:-1]) if want.endswith("*") else name == want for want in STALE_LINKS)


def stale_paths() -> list[str]:
    """Those of the telling paths that exist and, when directories, are not empty."""
    found = []
    for path in STALE_PATHS:
        if os.path.isdir(path):
            if os.listdir(path):
                found.append(path)
        elif os.path.lexists(path):
            found.append(path)
    return found


def stale_state(links: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Traces of an earlier cluster: paths, links, tunl0's addresses and the number of IPVS entries."""
    names = [name for name in links if is_stale_link(name)]
    if links.get("tunl0", {}).get("addresses"):
        names.append("tunl0")
    entries = [line for line in read("/proc/net/ip_vs").splitlines() if line.startswith(("TCP", "UDP", "SCTP", "FWM"))]
    return {"paths": stale_paths(), "links": sorted(names), "ipvs_services": len(entries)}


def own_install() -> dict[str, Any]:
    """Whether this project has already worked on the host, whether its record can be read, what it made of it."""
    own = {"present": os.path.exists(host_record.RECORD_PATH), "error": "", "cluster": "", "node": node.observe()}
    try:
        return own | {"cluster": host_record.load()["cluster"]}
    except ValueError as error:
        return own | {"present": True, "error": str(error)}


def sysctls(links: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Forwarding, router advertisement and disable_ipv6 settings, global and per link that holds an address."""
    names = ["all", "default", *(name for name, link in links.items() if link["addresses"] and not is_stale_link(name))]
    paths = ["net/ipv4/ip_forward"]
    for name in names:
        paths += [f"net/ipv4/conf/{name}/forwarding"]
        paths += [f"net/ipv6/conf/{name}/{key}" for key in ("forwarding", "accept_ra", "disable_ipv6")]
    values = {path: read(f"/proc/sys/{path}").strip() for path in paths}
    return {path: value for path, value in values.items() if value}


def disk_gb(path: str) -> tuple[float, float]:
    """Free space, for non-root users, and size in GiB of the file system that holds a path, or would hold it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    free, size = (round(blocks * status.f_frsize / 2**30, 1) for blocks in (status.f_bavail, status.f_blocks))
    return free, size


def observe(api_port: int, metrics_path: str) -> dict[str, Any]:
    """The whole picture of this host as plain data; see the RETURN section of the host_probe module.

    metrics_path: an absolute one, where Prometheus' data are or will be.
    """
    release = os.uname().release
    seen = kernel.evidence(release)
    features = kernel.features(seen)
    links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
    routes = {
        family: network.routes(network.json_output(["ip", "-j", flag, "route", "show", "table", "main"]))
        for family, flag in (("ipv4", "-4"), ("ipv6", "-6"))
    }
    stale_now = stale_state(links)
    links_shown = {name: link for name, link in links.items() if not name.startswith("cali")}
    return {
        "os": parse_os_release(read("/etc/os-release")),
        "architecture": os.uname().machine,
        "kernel": release,
        "hostname": os.uname().nodename,
        "cgroups": cgroups(),
        "features": features,
        "cpus": os.cpu_count() or 1,
        "memory": parse_meminfo(read("/proc/meminfo")),
        "disk_free_gb": disk_gb("/var")[0],
        "metrics_disk_gb": disk_gb(metrics_path)[1],
        "swap": swaps(),
        "clock": {"seconds": time.time(), "synchronised": clock_synchronised()},
        "ports": network.open_ports(api_port),
        "stale": stale_now,
        "own": own_install(),
        "firewall": network.firewall(lambda name: features[name]["state"] in ("loaded", "built_in")),
        "links": links_shown,
        "routes": routes,
        "sysctls": sysctls(links),
        "machine_id": read("/etc/machine-id").strip(),
        "running": running.observe(stale_now),
    }
