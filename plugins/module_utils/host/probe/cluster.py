"""The cluster as its API shows it, asked on the control plane with its administrator's kubeconfig.

By Python's standard library alone, over one connection: kubectl writes a cache into root's home, and starting it once
for each question takes longer than all answers together.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

REQUEST_SECONDS = 5.0
ALL_SECONDS = 10.0  # an API that is slow for this long is as good as none for a look at it
SYSTEM = "namespaces/kube-system"
# What has a version of its own, by the container that is looked for: its workload's path.
WORKLOADS = {
    "kube-proxy": f"/apis/apps/v1/{SYSTEM}/daemonsets/kube-proxy",
    "calico-node": f"/apis/apps/v1/{SYSTEM}/daemonsets/calico-node",
    "coredns": f"/apis/apps/v1/{SYSTEM}/deployments/coredns",
}
_ENTRY = re.compile(
    r"^[\s-]*(server|certificate-authority-data|client-certificate-data|client-key-data):\s*(\S+)\s*$", re.MULTILINE
)

# The object at a path of the API, or None when there is none. Raises ClusterError.
Get = Callable[[str], Any]


class ClusterError(Exception):
    """The API did not answer, or not with what was asked; the message says what happened."""


def parse_kubeconfig(text: str) -> dict[str, str]:
    """Server and credentials out of a kubeconfig as kubeadm writes it, by their keys there.

    Raises ClusterError naming the first that is missing: hosts have no YAML parser, so other forms are not read.
    """
    found = dict(_ENTRY.findall(text))
    for key in ("server", "certificate-authority-data", "client-certificate-data", "client-key-data"):
        if key not in found:
            raise ClusterError(f"admin.conf: found no {key}")
    return found


def tls_context(entries: Mapping[str, str]) -> ssl.SSLContext:
    """A context that trusts the cluster's CA alone and shows the administrator's certificate."""
    authority = base64.b64decode(entries["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    # Python 3.13 asks for extensions that Kubernetes' own clients do not ask a CA for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # OpenSSL reads keys from files only; this one is in memory, so nothing is written to a disk.
    descriptor = os.memfd_create("administrator")
    try:
        for key in ("client-certificate-data", "client-key-data"):
            os.write(descriptor, base64.b64decode(entries[key]) + b"\n")
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def node(item: Mapping[str, Any]) -> dict[str, Any]:
    """A Node of the API in short; see ``own.node.cluster.nodes`` in the RETURN section of the host_probe module."""
    spec, status = item.get("spec", {}), item.get("status", {})
    info = status.get("nodeInfo", {})
    return {
        "name": item["metadata"]["name"],
        "uid": item["metadata"].get("uid", ""),
        "addresses": [entry["address"] for entry in status.get("addresses", []) if entry["type"] == "InternalIP"],
        "unschedulable": bool(spec.get("unschedulable", False)),
        "taints": [
            {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]}
            for taint in spec.get("taints") or []
        ],
        "ready": any(entry["type"] == "Ready" and entry["status"] == "True" for entry in status.get("conditions", [])),
        "kubelet": info.get("kubeletVersion", "").lstrip("v"),
        "runtime": info.get("containerRuntimeVersion", ""),
    }


def image(workload: Mapping[str, Any], container: str) -> str:
    """The image of a workload's container."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    return next((str(item["image"]) for item in containers if item["name"] == container), "")


def picture(get: Get) -> dict[str, Any]:
    """The cluster in short; see ``own.node.cluster`` in the RETURN section of the host_probe module.

    Raises ClusterError, and KeyError or TypeError for answers that are not the API's.
    """

    def setting(name: str, key: str) -> str:
        data = (get(f"/api/v1/{SYSTEM}/configmaps/{name}") or {}).get("data") or {}
        return str(data.get(key, ""))

    version, nodes = get("/version"), get("/api/v1/nodes")
    if version is None or nodes is None:
        raise ClusterError("the API server has no /version or no nodes")
    workloads = {name: get(path) for name, path in WORKLOADS.items()}
    images = {name: image(workload, name) for name, workload in workloads.items() if workload}
    return {
        "version": str(version["gitVersion"]).lstrip("v"),
        "nodes": [node(item) for item in nodes["items"]],
        "kubeadm_config": setting("kubeadm-config", "ClusterConfiguration"),
        "kubelet_config": setting("kubelet-config", "kubelet"),
        "kube_proxy": setting("kube-proxy", "config.conf"),
        "images": {name: found for name, found in images.items() if found},
    }


def read(kubeconfig: str) -> dict[str, Any]:
    """The picture of the cluster that a kubeconfig (its text) leads to. Raises ClusterError, and nothing else."""
    try:
        entries = parse_kubeconfig(kubeconfig)
        server = urlsplit(entries["server"])
        connection = http.client.HTTPSConnection(
            server.hostname or "", server.port or 443, timeout=REQUEST_SECONDS, context=tls_context(entries)
        )
        deadline = time.monotonic() + ALL_SECONDS

        def get(path: str) -> Any:
            if time.monotonic() > deadline:
                raise ClusterError(f"no whole answer within {ALL_SECONDS:.0f} s")
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = response.read()
            if response.status == http.client.NOT_FOUND:
                return None
            if response.status != http.client.OK:
                raise ClusterError(f"{path}: HTTP status {response.status}")
            return json.loads(body)

        try:
            return picture(get)
        finally:
            connection.close()
    except ClusterError:
        raise
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(f"{type(error).__name__}: {error}") from error
