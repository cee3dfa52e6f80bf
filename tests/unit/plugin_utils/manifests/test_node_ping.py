"""The pod on every node that hosts can always ping."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.filter.node_ping import FilterModule
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import node_ping


def test_it_is_on_every_node_in_the_pod_network_without_any_right() -> None:
    made = FilterModule().filters()["node_ping"]("registry.example/pause:1")
    pod = made["spec"]["template"]["spec"]
    assert made["metadata"]["name"] == node_ping.NAME
    assert "hostNetwork" not in pod and pod["tolerations"] == [{"operator": "Exists"}]
    (container,) = pod["containers"]
    assert container["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert container["image"] == "registry.example/pause:1"
