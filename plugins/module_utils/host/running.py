"""What runs on a node now, whatever its files and the cluster's objects say. Reads only.

A run that was cut off between writing a configuration and restarting what reads it leaves a difference that no file
shows; it is found here.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network

KUBE_PROXY_METRICS = "127.0.0.1:10249"  # kube-proxy's own default, which its documents say as well
KUBE_PROXY_GROUP = "kubeproxy.config.k8s.io"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
IPVS_LINK = "kube-ipvs0"
# kubeadm writes kubelet's configuration and starts kubelet right afterwards; processes' times have ticks of 10 ms.
SAME_MOMENT_SECONDS = 1.0
SYNCED = re.compile(
    r'^kubeproxy_sync_proxy_rules_last_timestamp_seconds\{[^}]*ip_family="(IPv[46])"[^}]*\} (\S+)$', re.M
)
# A proxy of the environment would be asked for the host's own loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def page(url: str, timeout: float = 2.0) -> str:
    """A page of this host by HTTP; empty when it does not answer in time (seconds)."""
    try:
        with OPENER.open(url, timeout=timeout) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException, ValueError):
        return ""


def kube_proxy(metrics: str = KUBE_PROXY_METRICS) -> dict[str, Any]:
    """The configuration that kube-proxy runs with (KubeProxyConfiguration); empty when it does not answer."""
    try:
        found = json.loads(page(f"http://{metrics}/configz")).get(KUBE_PROXY_GROUP)
    except (AttributeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def synced_families(metrics: str = KUBE_PROXY_METRICS) -> set[str]:
    """Families, ``IPv4`` and ``IPv6``, whose rules kube-proxy has programmed since it started."""
    found = SYNCED.findall(page(f"http://{metrics}/metrics"))
    return {family for family, seconds in found if float(seconds) > 0}


def processes(name: str) -> list[str]:
    """Process ids of a program."""
    return [item for item in os.listdir("/proc") if item.isdigit() and network.program(item) == name]


def started(process: str) -> float:
    """When a process started, in seconds since the epoch of today's clock; 0.0 when it has gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def kubelet_behind(config: str = KUBELET_CONFIG, program: str = "kubelet") -> bool:
    """Whether kubelet runs and its configuration was written after it had started."""
    try:
        written = os.stat(config).st_mtime
    except OSError:
        return False
    starts = [moment for moment in map(started, processes(program)) if moment]
    return bool(starts) and written > max(starts) + SAME_MOMENT_SECONDS


def observe(stale: Mapping[str, Any]) -> dict[str, Any]:
    """All of it, as plain data; see the RETURN section of the host_probe module.

    stale: what `probe.host.stale_state` found, of which IPVS' services and kube-proxy's link for their addresses count.
    """
    ipvs = bool(stale["ipvs_services"]) or IPVS_LINK in stale["links"]
    return {"kube_proxy": kube_proxy(), "kubelet_behind": kubelet_behind(), "ipvs": ipvs}
