"""What an earlier run made of this host: kubeadm's record, the kubelet, programs, and the cluster of a control plane.

Configuration comes as the text that it is: hosts have no YAML parser, the controller has one.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import cluster, network
from ansible_collections.twinstack.core.plugins.module_utils.host.probe.files import read

MANIFESTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PROGRAMS = {"kubelet": "/usr/local/bin/kubelet", "containerd": "/usr/local/bin/containerd"}
PROGRAM_SECONDS = 10.0
FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
CLIENT_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem"
# The user as which a kubelet speaks to the API: what Kubernetes' node authorizer knows a node by.
USER = "system:node:"
_VERSION = re.compile(r"(?:^|\s)v?(\d+\.\d+\.\d+\S*)")


def flags(text: str) -> dict[str, str]:
    """The kubelet's command line out of kubeadm-flags.env, values by flag."""
    _, _, value = text.strip().partition("=")
    try:
        words = [word for part in shlex.split(value) for word in part.split()]
    except ValueError:
        return {}
    return {key.lstrip("-"): rest for key, equals, rest in (word.partition("=") for word in words) if equals}


def certified_name(pem: str) -> str:
    """The node's name in a kubelet's client certificate (PEM text); empty when there is none.

    The common name is the only text in it that begins with USER, and DER writes a text's length before the text, so
    no parser of certificates is needed, which Python has none of.
    """
    match = re.search(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    try:
        der = base64.b64decode(match[1]) if match else b""
    except ValueError:
        return ""
    begin = der.find(USER.encode())
    name = der[begin : begin + der[begin - 1]] if begin > 0 else b""
    return name.decode("utf-8", "replace")[len(USER) :]


def node_name(arguments: dict[str, str], certificate: str, kubelet_conf: str) -> str:
    """The node's name: the kubelet's flag, else its certificate's, else its kubeconfig's; empty before it has any."""
    user = re.search(rf"^\s*(?:- )?(?:name|user):\s*{USER}(\S+)\s*$", kubelet_conf, re.MULTILINE)
    return arguments.get("hostname-override", "") or certified_name(certificate) or (user[1] if user else "")


def version(printed: str) -> str:
    """The version in what a program prints for ``--version``; empty when it prints none."""
    match = _VERSION.search(printed)
    return match[1] if match else ""


def observe(root: str = "/") -> dict[str, Any] | None:
    """What our kubeadm run made of this host; None when there was none. See RETURN of the host_probe module.

    root: the folder that all paths are below.
    """

    def text(path: str) -> str:
        return read(os.path.join(root, path.lstrip("/")))

    record_path = os.path.join(root, kubeadm.RECORD.lstrip("/"))
    if not os.path.lexists(record_path):
        return None
    error, record = "", None
    try:
        record = kubeadm.load(record_path)
    except (kubeadm.KubeadmError, OSError) as failure:
        error = str(failure)
    arguments = flags(text(FLAGS))
    # A cluster is looked for wherever a control plane's credentials are, whatever the record says of the host.
    kubeconfig = text("/etc/kubernetes/admin.conf")
    manifests = {name: text(f"/etc/kubernetes/manifests/{name}.yaml") for name in MANIFESTS}
    with ThreadPoolExecutor(max_workers=len(PROGRAMS) + 1) as pool:
        printed = {
            name: pool.submit(network.output, [os.path.join(root, path.lstrip("/")), "--version"], PROGRAM_SECONDS)
            for name, path in PROGRAMS.items()
        }
        seen = pool.submit(standing_cluster, kubeconfig)
    versions = {name: version(result.result()) for name, result in printed.items()}
    found, cluster_error = seen.result()
    phase = record.phase if record else ""
    return {
        "phase": phase,
        "finished": record.finished if record else False,
        "error": error,
        "asked": text(kubeadm.CONFIG) if phase == "init" else "",
        "ca_digest": kubeadm.ca_digest(os.path.join(root, kubeadm.CA_FILE.lstrip("/"))),
        "node_name": node_name(arguments, text(CLIENT_CERTIFICATE), text("/etc/kubernetes/kubelet.conf")),
        "node_ip": [address for address in arguments.get("node-ip", "").split(",") if address],
        "versions": {name: found for name, found in versions.items() if found},
        "kubelet_config": text("/var/lib/kubelet/config.yaml"),
        "api_certificate": text("/etc/kubernetes/pki/apiserver.crt"),
        "manifests": {name: content for name, content in manifests.items() if content},
        "cluster": found,
        "cluster_error": cluster_error,
    }


def standing_cluster(kubeconfig: str) -> tuple[dict[str, Any] | None, str]:
    """The cluster of a control plane and no error, or None and why; None and no error without a kubeconfig."""
    if not kubeconfig:
        return None, ""
    try:
        return cluster.read(kubeconfig), ""
    except cluster.ClusterError as error:
        return None, str(error)
