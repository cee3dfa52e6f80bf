"""Filters over the cluster's settings, as roles use them."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.filter import cluster as filters

from tests.unit.plugin_utils.manifests.samples import settings
from tests.unit.plugin_utils.plan import samples


def test_without_facts_of_preflight_there_is_nothing_to_reconcile() -> None:
    found = filters.kubeadm_reconciliation(settings(), {"cp1": {}, "w1": {"preflight_node": {}}})
    assert (found["control_plane"], found["nodes"], found["changes"]) == ([], {}, [])


def test_what_differs_is_handed_over_as_plain_data() -> None:
    nodes = samples.with_api(kube_proxy=samples.KUBE_PROXY.replace("strictARP: true", "strictARP: false"))
    hostvars = {name: {"preflight_node": node} for name, node in nodes.items()}
    found = filters.kubeadm_reconciliation(settings(), hostvars)
    assert found["control_plane"] == ["upload_kube_proxy"]
    assert found["reasons"] == ["cluster: kube-proxy: ipvs.strictARP: false -> true"]
    assert found["changes"][0]["scope"] == "cluster"
    kinds = [item["kind"] for item in yaml.safe_load_all(found["documents"])]
    assert kinds == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]


def test_a_document_that_is_no_yaml_is_named() -> None:
    nodes = samples.nodes()
    nodes["w1"]["kubelet_config"] = "{"
    with pytest.raises(AnsibleFilterError, match="w1: kubelet's configuration: found no valid YAML"):
        filters.kubeadm_reconciliation(settings(), {name: {"preflight_node": node} for name, node in nodes.items()})
