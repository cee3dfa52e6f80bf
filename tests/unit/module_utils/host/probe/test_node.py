"""What an earlier run made of a host, read from files as kubeadm writes them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import cluster, network, node

from tests.unit.module_utils.host.probe.samples import Authority, kubeconfig, name

FLAGS = (
    'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1,2001:db8::1 --pod-infra-container-image=registry.k8s.io/pause:3.10.2"'
)
# What kubeadm init leaves; after a join the user is default-auth, and the certificate alone has the name.
KUBELET_CONF = "users:\n- name: system:node:cp1\n  user:\n    client-certificate: /var/lib/kubelet/pki/x.pem\n"
KEYS = {
    "phase",
    "finished",
    "error",
    "asked",
    "ca_digest",
    "node_name",
    "node_ip",
    "versions",
    "kubelet_config",
    "api_certificate",
    "manifests",
    "cluster",
    "cluster_error",
}


def write(root: Path, files: dict[str, str]) -> None:
    """Files below a folder that stands for a host."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755)


def record(phase: str, finished: bool = True) -> dict[str, str]:
    """kubeadm's record."""
    return {"etc/twinstack/kubeadm.json": json.dumps({"phase": phase, "config": "c", "finished": finished})}


def observed(root: Path) -> dict[str, Any]:
    """What is found there, which must be something."""
    found = node.observe(str(root))
    assert found is not None and set(found) == KEYS
    return found


def test_a_host_without_our_record_has_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"etc/kubernetes/admin.conf": "x", "var/lib/kubelet/config.yaml": "x"})
    assert node.observe(str(tmp_path)) is None


def test_a_control_plane_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "read", lambda text: {"read with": text})
    write(
        tmp_path,
        {
            **record("init"),
            "etc/twinstack/kubeadm.yaml": "kind: ClusterConfiguration\n",
            "etc/kubernetes/admin.conf": "the administrator's\n",
            "etc/kubernetes/kubelet.conf": KUBELET_CONF,
            "etc/kubernetes/pki/ca.crt": "CA\n",
            "etc/kubernetes/pki/apiserver.crt": "PEM\n",
            "etc/kubernetes/manifests/etcd.yaml": "kind: Pod\n",
            "var/lib/kubelet/kubeadm-flags.env": FLAGS + "\n",
            "var/lib/kubelet/config.yaml": "kind: KubeletConfiguration\n",
            "usr/local/bin/kubelet": "#!/bin/sh\necho Kubernetes v1.37.2\n",
            "usr/local/bin/containerd": "#!/bin/sh\necho containerd github.com/containerd/containerd/v2 v2.4.2 1a2b\n",
        },
    )
    assert observed(tmp_path) == {
        "phase": "init",
        "finished": True,
        "error": "",
        "asked": "kind: ClusterConfiguration\n",
        "ca_digest": hashlib.sha256(b"CA\n").hexdigest(),
        "node_name": "cp1",
        "node_ip": ["192.0.2.1", "2001:db8::1"],
        "versions": {"kubelet": "1.37.2", "containerd": "2.4.2"},
        "kubelet_config": "kind: KubeletConfiguration\n",
        "api_certificate": "PEM\n",
        "manifests": {"etcd": "kind: Pod\n"},
        "cluster": {"read with": "the administrator's\n"},
        "cluster_error": "",
    }


def test_a_half_finished_worker_is_read_and_asks_no_cluster(tmp_path: Path) -> None:
    write(tmp_path, {**record("join", finished=False), "etc/twinstack/kubeadm.yaml": "token: secret\n"})
    found = observed(tmp_path)
    assert (found["phase"], found["finished"], found["asked"]) == ("join", False, "")
    assert (found["node_name"], found["node_ip"], found["versions"], found["ca_digest"]) == ("", [], {}, "")
    assert (found["cluster"], found["cluster_error"], found["manifests"]) == (None, "", {})


def test_a_record_that_cannot_be_read_is_an_error_and_never_fails(tmp_path: Path) -> None:
    write(tmp_path, {"etc/twinstack/kubeadm.json": "{"})
    found = observed(tmp_path)
    assert (found["phase"], found["finished"]) == ("", False) and "no valid record" in found["error"]


def test_an_api_server_that_is_down_is_an_error_of_the_cluster_alone(tmp_path: Path) -> None:
    write(tmp_path, {**record("init"), "etc/kubernetes/admin.conf": kubeconfig(Authority(), 1)})
    found = observed(tmp_path)
    assert found["cluster"] is None and "refused" in found["cluster_error"] and found["error"] == ""


def test_the_name_is_the_flags_then_the_certificates_then_the_kubeconfigs() -> None:
    certificate, key = Authority().certify(name("system:node:worker1", "system:nodes"))
    flags = node.flags('KUBELET_KUBEADM_ARGS="--hostname-override=w9 --node-ip=192.0.2.1"')
    assert node.node_name(flags, certificate, KUBELET_CONF) == "w9"
    assert node.node_name({}, key + certificate, KUBELET_CONF) == "worker1", "the file has the key too"
    assert node.node_name({}, "", KUBELET_CONF) == "cp1"
    assert node.node_name({}, "no certificate", "users:\n- name: default-auth\n") == ""


@pytest.mark.parametrize("length", [1, 63, 120, 200])
def test_names_of_any_length_are_read_from_certificates(length: int) -> None:
    """Of more than 127 bytes DER writes the length in another way; X.509 allows 64, which not all makers heed."""
    text = "n" * length
    value = f"system:node:{text}".encode()
    head = b"\x0c\x81" if len(value) > 127 else b"\x0c"
    der = head + bytes([len(value)]) + value + b"tail"
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    assert node.certified_name(pem) == text


@pytest.mark.parametrize("text", ["", "KUBELET_KUBEADM_ARGS=", 'KUBELET_KUBEADM_ARGS="--node-ip', "nonsense"])
def test_flags_that_cannot_be_read_are_none(text: str) -> None:
    assert node.flags(text) == {}


def test_slow_programs_and_the_cluster_are_waited_for_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3, timeout=20)

    def slow(*_arguments: Any) -> str:
        together.wait()
        return "v1.2.3"

    monkeypatch.setattr(network, "output", slow)
    monkeypatch.setattr(cluster, "read", lambda text: {"version": slow()})
    write(tmp_path, {**record("init"), "etc/kubernetes/admin.conf": "x"})
    started = time.monotonic()
    assert observed(tmp_path)["versions"] == {"kubelet": "1.2.3", "containerd": "1.2.3"}
    assert time.monotonic() - started < 15
