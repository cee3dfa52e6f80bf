"""Changed settings of one node: its kubelet and its kube-proxy, while its neighbours run as they are.

Neither restarts workload pods: kubelet finds them running, and the kernel keeps kube-proxy's rules while it is away.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, running
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as links
from ansible_collections.twinstack.core.plugins.module_utils.host.reconcile import (
    FAILED_STARTS,
    POLL_SECONDS,
    ReconcileError,
    command,
    kept,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import network, packet_filters
from ansible_collections.twinstack.core.plugins.module_utils.host.subset import differences

KUBECTL = "/usr/local/bin/kubectl"
ADMIN = "/etc/kubernetes/admin.conf"
KUBELET_HEALTH = "http://127.0.0.1:10248/healthz"  # where kubeadm puts it
FAMILIES = {"IPv4", "IPv6"}
# What a container waits for that does not come by itself.
HOPELESS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
}


def kubelet(timeout: float) -> bool:
    """kubelet's configuration out of the cluster's ConfigMap, and kubelet with it; True when it restarted.

    Raises ReconcileError, with the configuration that was there before back in place, when kubelet does not start.
    """
    path = running.KUBELET_CONFIG
    with open(path, "rb") as stream:
        before = stream.read()
    changed = False
    try:
        with kept(path):
            command([kubeadm.KUBEADM, "upgrade", "node", "phase", "kubelet-config"], timeout)
            with open(path, "rb") as stream:
                changed = stream.read() != before
            if not changed and not running.kubelet_behind(path):
                return False
            os.sync()
            restart_kubelet(timeout)
            return True
    except ReconcileError:
        if changed:
            with suppress(ReconcileError):  # the first reason is the one to read
                restart_kubelet(timeout)
        raise


def restart_kubelet(timeout: float) -> None:
    """Restart kubelet and wait until it is well; not to the end when it ends each time it starts."""
    command(["systemctl", "restart", "kubelet.service"], timeout)
    deadline = time.monotonic() + timeout
    while running.page(KUBELET_HEALTH) != "ok":
        restarts = links.output(["systemctl", "show", "--property=NRestarts", "--value", "kubelet.service"]).strip()
        failing = restarts.isdigit() and int(restarts) >= FAILED_STARTS
        if failing or time.monotonic() > deadline:
            found = "it ends each time it starts" if failing else f"no answer of {KUBELET_HEALTH} in {timeout:.0f} s"
            words = links.output(["journalctl", "--unit", "kubelet.service", "--lines", "10", "--output", "cat"])
            raise ReconcileError(
                f"kubelet: found {found}; expected it to run with {running.KUBELET_CONFIG}. "
                f"Try: correct the setting, then site.yml again\n{words}".rstrip()
            )
        time.sleep(POLL_SECONDS)


def restart_kube_proxy(node: str, timeout: float) -> None:
    """Delete a node's kube-proxy and wait for the next one. Runs on the control plane, whose kubeconfig may.

    A pod of its own, not a restart in the pod: only that one certainly gets the newest ConfigMap.
    """
    before = {pod["metadata"]["uid"] for pod in kube_proxies(node)}
    kubectl(["delete", "pod", *_of(node), "--wait=false", "--ignore-not-found"])
    deadline = time.monotonic() + timeout
    while True:
        pods = [pod for pod in kube_proxies(node) if pod["metadata"]["uid"] not in before]
        if any(_ready(pod) for pod in pods):
            return
        reason = next((reason for pod in pods for reason in [hopeless(pod)] if reason), "")
        if reason or time.monotonic() > deadline:
            raise ReconcileError(
                f"kube-proxy on {node}: found {reason or f'no new pod that is ready after {timeout:.0f} s'}; expected "
                "it to run with the new settings. The other nodes' run with the settings of before; this node keeps "
                "the rules that it has. Try: correct the setting, then site.yml again"
            )
        time.sleep(POLL_SECONDS)


def kube_proxies(node: str) -> list[dict[str, Any]]:
    """The pods of kube-proxy on a node, those that are going too."""
    items: list[dict[str, Any]] = json.loads(kubectl(["get", "pods", *_of(node), "--output", "json"]) or "{}")["items"]
    return items


def kubectl(words: Sequence[str], timeout: float = 60.0) -> str:
    """Output of kubectl with the administrator's kubeconfig."""
    return command([KUBECTL, "--kubeconfig", ADMIN, "--namespace", "kube-system", *words], timeout)


def hopeless(pod: Mapping[str, Any]) -> str:
    """Why a pod will not become ready, with its container's last words; empty when it may."""
    for container in pod.get("status", {}).get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason") in HOPELESS or container.get("restartCount", 0) >= FAILED_STARTS:
            said = waiting.get("message") or ended.get("message") or ""
            reason = waiting.get("reason") or f"{container['restartCount']} restarts"
            return f"{reason} {said}".strip()
    return ""


def settle_kube_proxy(wanted: Mapping[str, Any], timeout: float) -> bool:
    """Wait until kube-proxy runs with these settings and has programmed its rules of both families.

    wanted: fields of KubeProxyConfiguration. Only then what another mode left goes; True when there was something.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = running.kube_proxy()
        wrong = [f"{field} {old!r} instead of {new!r}" for field, old, new in differences(wanted, found)]
        late = sorted(FAMILIES - running.synced_families()) if found else sorted(FAMILIES)
        if not wrong and not late:
            break
        if time.monotonic() > deadline:
            told = ", ".join(wrong) if found and wrong else f"no rules of {' and '.join(late)}"
            raise ReconcileError(
                f"kube-proxy: found {told} after {timeout:.0f} s; expected it to run with the new settings in both "
                "families. Try: kubectl --namespace kube-system logs --selector k8s-app=kube-proxy"
            )
        time.sleep(POLL_SECONDS)
    return wanted["mode"] != "ipvs" and remove_ipvs()


def remove_ipvs() -> bool:
    """Remove IPVS' virtual services and the link of their addresses; True when there was something.

    kube-proxy does so itself when it starts in another mode; what it could not remove would answer for Services still.
    """
    found = ipvs_left()
    if not found:
        return False
    packet_filters.clear_ipvs({}, [])
    network.remove_links({}, [running.IPVS_LINK])
    left = ipvs_left()
    if left:
        raise ReconcileError(
            f"IPVS: found {', '.join(left)}; expected none in another mode of kube-proxy. Try: ipvsadm --clear"
        )
    return True


def ipvs_left() -> list[str]:
    """What of IPVS is in the kernel: its virtual services, and the link of their addresses."""
    return [*packet_filters.find_ipvs({}), *(name for name in network.find_links({}) if name == running.IPVS_LINK)]


def _of(node: str) -> list[str]:
    return ["--selector", "k8s-app=kube-proxy", "--field-selector", f"spec.nodeName={node}"]


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
