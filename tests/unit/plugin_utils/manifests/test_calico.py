"""Upstream's manifest of Calico turned dual-stack."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import calico
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster

from tests.unit.plugin_utils.manifests.samples import settings

CALICO = """
apiVersion: v1
kind: ConfigMap
metadata: {name: calico-config, namespace: kube-system}
data:
  veth_mtu: "1"
  cni_network_config: |-
    {"plugins": [{"type": "calico", "mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          env:
            - {name: KEPT, value: "1"}
            - {name: CALICO_IPV4POOL_VXLAN, value: CrossSubnet}
            - {name: FELIX_IPV6SUPPORT, value: "false"}
          livenessProbe: {exec: {command: [/bin/calico-node, -felix-live]}, periodSeconds: 10}
          readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready]}, periodSeconds: 10}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: calico-node, namespace: kube-system}
"""


def test_calico_gets_both_families() -> None:
    documents = list(yaml.safe_load_all(CALICO))
    endpoint, config, workload, account = calico.calico_objects(documents, parse_cluster(settings(mtu=1400)))
    assert endpoint["data"] == {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    network = config["data"]["cni_network_config"].replace("__CNI_MTU__", config["data"]["veth_mtu"])
    ipam = yaml.safe_load(network)["plugins"][0]["ipam"]
    assert ipam == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
    assert yaml.safe_load(network)["plugins"][0]["mtu"] == 1400
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["KEPT"] == "1"
    assert environment["FELIX_IPV6SUPPORT"] == "true"
    assert environment["NO_DEFAULT_POOLS"] == "true"
    assert "CALICO_IPV4POOL_VXLAN" not in environment
    assert account["kind"] == "ServiceAccount"
    asked = {"host": "127.0.0.1", "port": 9099, "scheme": "HTTP"}
    assert container["livenessProbe"] == {"httpGet": {**asked, "path": "/liveness"}, "periodSeconds": 10}
    assert container["readinessProbe"] == {"httpGet": {**asked, "path": "/readiness"}, "periodSeconds": 2}


def test_a_calico_node_whose_probes_start_no_program_is_refused() -> None:
    documents = list(yaml.safe_load_all(CALICO.replace("exec:", "tcpSocket:")))
    with pytest.raises(ValueError, match="calico-node: found no livenessProbe that starts a program"):
        calico.calico_objects(documents, parse_cluster(settings()))


def test_a_calico_manifest_without_the_parts_to_patch_is_refused() -> None:
    documents = list(yaml.safe_load_all(CALICO))[1:]
    with pytest.raises(ValueError, match="no ConfigMap calico-config"):
        calico.calico_objects(documents, parse_cluster(settings()))


@pytest.mark.parametrize(
    ("encapsulation", "mode"), [("VXLANCrossSubnet", "CrossSubnet"), ("VXLAN", "Always"), ("None", "Never")]
)
def test_both_pools_take_the_encapsulation(encapsulation: str, mode: str) -> None:
    pools = calico.calico_pools(parse_cluster(settings(encapsulation=encapsulation)))
    assert [pool["spec"]["vxlanMode"] for pool in pools] == [mode, mode]
    assert all(pool["spec"]["natOutgoing"] for pool in pools)


def test_another_mtu_reaches_nodes_that_run() -> None:
    """It stands in a ConfigMap, which containers read when they start: the pods must be others, one node at a time."""

    def annotations(mtu: int) -> object:
        objects = calico.calico_objects(list(yaml.safe_load_all(CALICO)), parse_cluster(settings(mtu=mtu)))
        return objects[2]["spec"]["template"].get("metadata", {}).get("annotations")

    assert annotations(1400) == {"twinstack.core/mtu": "1400"}
    assert annotations(1300) != annotations(1400)
    assert annotations(0) is None, "Calico's own choice: clusters that stand do not roll for a new annotation"
