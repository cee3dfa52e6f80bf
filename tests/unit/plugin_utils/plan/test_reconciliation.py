"""Steps and documents of a reconciliation."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import Cluster
from ansible_collections.twinstack.core.plugins.plugin_utils.plan import reconciliation as plan

from tests.unit.plugin_utils.plan import samples


def documents(found: plan.Reconciliation) -> dict[str, Any]:
    """The documents by kind."""
    return {item["kind"]: item for item in found.documents}


def earlier(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Nodes of a cluster that was made without any of our tuning, by another release."""
    nodes = samples.with_api(
        kubeadm_config=samples.CLUSTER_CONFIGURATION.replace("kube-api-qps", "concurrent-gc-syncs").replace(
            "  - fd00::1\n", "  - other.example\n"
        ),
        kubelet_config=samples.KUBELET.replace("serializeImagePulls: false", "maxPods: 250"),
        kube_proxy=samples.KUBE_PROXY.replace("strictARP: true", "strictARP: false"),
    )
    nodes["cp1"]["api_certificate"] = samples.certificate([name for name in samples.NAMES if name != "fd00::1"])
    manifest = samples.CONTROLLER_MANAGER.replace("--kube-api-qps=100", "--concurrent-gc-syncs=100")
    nodes["cp1"]["manifests"]["kube-controller-manager"] = manifest
    running = samples.RUNNING | {"ipvs": {"strictARP": False, "minSyncPeriod": "3s"}}
    for node in nodes.values():
        node["kubelet_config"] = nodes["cp1"]["cluster"]["kubelet_config"]
        node["running"] = samples.running(kube_proxy=running)
    assert cluster.name == "t"
    return nodes


def test_no_difference_is_no_step() -> None:
    assert plan.reconciliation(samples.cluster(), samples.nodes()) == plan.Reconciliation()


def test_all_steps_in_their_order() -> None:
    found = plan.reconciliation(samples.cluster(), earlier(samples.cluster()))
    assert found.control_plane == (
        "upload_kubeadm",
        "upload_kubelet",
        "upload_kube_proxy",
        "certificate",
        "kube-controller-manager",
    )
    assert found.nodes == {"cp1": ("kubelet", "kube-proxy"), "w1": ("kubelet", "kube-proxy")}


def test_only_what_differs_is_done() -> None:
    nodes = samples.nodes()
    nodes["w1"]["running"] = samples.running(kubelet_behind=True)
    found = plan.reconciliation(samples.cluster(), nodes)
    assert (found.control_plane, dict(found.nodes)) == ((), {"w1": ("kubelet",)})
    nodes = samples.nodes(asked=samples.ASKED.replace("minSyncPeriod: 3s", "minSyncPeriod: 9s"))
    found = plan.reconciliation(samples.cluster(), nodes)
    assert (found.control_plane, dict(found.nodes)) == (("record",), {})
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("mode: ipvs", "mode: nftables"))
    nodes["cp1"]["asked"] = samples.ASKED.replace("mode: ipvs", "mode: nftables")
    for node in nodes.values():
        node["running"] = samples.running(kube_proxy=samples.RUNNING | {"mode": "nftables"})
    found = plan.reconciliation(samples.cluster(proxy_mode="nftables"), nodes)
    assert (found.control_plane, dict(found.nodes)) == ((), {"cp1": ("ipvs",), "w1": ("ipvs",)})


def test_documents_are_the_cluster_s_own_with_our_fields() -> None:
    """kubeadm writes them whole: what it is not given is gone."""
    by_kind = documents(plan.reconciliation(samples.cluster(), earlier(samples.cluster())))
    stored = by_kind["ClusterConfiguration"]
    assert stored["apiServer"]["certSANs"][-1] == "fd00::1"
    assert "other.example" in stored["apiServer"]["certSANs"]
    arguments = {item["name"]: item["value"] for item in stored["controllerManager"]["extraArgs"]}
    assert arguments["concurrent-gc-syncs"] == "100"
    assert arguments["kube-api-qps"] == "100"
    assert stored["certificateValidityPeriod"] == "8760h0m0s"
    assert by_kind["KubeletConfiguration"]["maxPods"] == 250
    assert by_kind["KubeletConfiguration"]["serializeImagePulls"] is False
    assert by_kind["KubeProxyConfiguration"]["ipvs"]["strictARP"] is True
    assert by_kind["KubeProxyConfiguration"]["ipvs"]["scheduler"] == ""
    assert by_kind["KubeProxyConfiguration"]["clientConnection"]["kubeconfig"]
    assert by_kind["InitConfiguration"]["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.1"


def test_versions_and_networks_stay_what_runs() -> None:
    """Whatever the inventory says: those are refused elsewhere, and never written here."""
    wanted = samples.cluster(
        versions={"kubernetes": "1.38.0", "coredns": "1.16.0", "etcd": "3.8.0"},
        pod_cidrs=["10.99.0.0/16", "fd66:99::/56"],
        node_mask={"ipv4": 25, "ipv6": 64},
    )
    stored = documents(plan.reconciliation(wanted, samples.nodes()))["ClusterConfiguration"]
    assert stored["kubernetesVersion"] == "v1.37.2"
    assert stored["dns"]["imageTag"] == "v1.15.0"
    assert stored["etcd"]["local"] == {"dataDir": "/var/lib/etcd", "imageTag": "3.7.3-0"}
    assert stored["networking"]["podSubnet"] == "10.244.0.0/16,fd66:244::/56"


def test_the_certificate_is_made_beside_the_one_in_use() -> None:
    found = plan.reconciliation(samples.cluster(), earlier(samples.cluster()))
    folders = [
        next(item for item in group if item["kind"] == "ClusterConfiguration")["certificatesDir"]
        for group in (found.documents, found.certificate_documents)
    ]
    assert folders == ["/etc/kubernetes/pki", "/etc/kubernetes/pki/.twinstack"]


def test_a_component_s_process_is_known_by_its_arguments() -> None:
    found = plan.reconciliation(samples.cluster(), earlier(samples.cluster()))
    assert "--kube-api-qps=100" in found.arguments["kube-controller-manager"]
    assert found.arguments["kube-apiserver"] == []


def test_after_its_own_documents_nothing_is_left() -> None:
    """What a run writes is what the next one finds: it would else never end."""
    done = documents(plan.reconciliation(samples.cluster(), earlier(samples.cluster())))
    nodes = samples.with_api(
        kubeadm_config=yaml.safe_dump(done["ClusterConfiguration"]),
        kubelet_config=yaml.safe_dump(done["KubeletConfiguration"]),
        kube_proxy=yaml.safe_dump(done["KubeProxyConfiguration"]),
    )
    assert plan.reconciliation(samples.cluster(), nodes) == plan.Reconciliation()


def test_an_api_server_that_did_not_answer_stops_nothing() -> None:
    found = plan.reconciliation(samples.cluster(), samples.nodes(cluster=None))
    assert not found.changes
    assert "no answer" in found.uncompared


def test_endpoints_are_of_both_families() -> None:
    places = {(item["name"], item["address"], item["port"]) for item in plan.endpoints(samples.cluster())}
    assert places == {
        ("API server on cp1", "10.0.0.1", 6443),
        ("API server on cp1", "fd00::1", 6443),
        ("Service kubernetes", "10.96.0.1", 443),
        ("cluster DNS", "10.96.0.10", 53),
        ("cluster DNS", "fd66:96::a", 53),
    }
    swapped = samples.cluster(primary_family="ipv6")
    assert next(item for item in plan.endpoints(swapped) if item["port"] == 443)["address"] == "fd66:96::1"
