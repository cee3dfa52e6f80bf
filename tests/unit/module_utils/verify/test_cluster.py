"""verify.cluster: waiting, what is created, and what is removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.verify import cluster as verify_cluster
from ansible_collections.twinstack.core.plugins.module_utils.verify import objects as verify_objects

from tests.unit.kube_server import api_server
from tests.unit.module_utils.istio.samples import IMAGE, injector


def test_waiting_ends_when_it_is_true_or_late() -> None:
    answers = [False, False, True]
    assert verify_cluster.wait_until(lambda: answers.pop(0), 10)
    assert not verify_cluster.wait_until(lambda: False, 0)


@pytest.mark.parametrize("waited", [False, True])
def test_what_was_created_goes_and_nothing_else(tmp_path: Path, waited: bool) -> None:
    """The namespace is deleted first; what is in it goes while its controller pauses."""
    path = "/api/v1/namespaces/twinstack-verify"
    with api_server(tmp_path) as (state, config):
        labels = {verify_objects.LABEL: "true"}
        state.objects[path] = {"kind": "Namespace", "metadata": {"name": "twinstack-verify", "labels": labels}}
        state.objects["/api/v1/namespaces/other"] = {"kind": "Namespace", "metadata": {"name": "other", "labels": {}}}
        api = verify_cluster.VerificationCluster(Client(str(config), None, verify_cluster.FIELD_MANAGER))
        if waited:
            assert api.remove(5) == []
        else:
            api.start_removal()
        deleted = [line for line in state.asked if line.startswith("DELETE")]
        assert deleted[0].startswith(f"DELETE {path}")
        assert len(deleted) == 5 and all(line.startswith("DELETE /ap") for line in deleted)
        assert all("/twinstack-verify" in line for line in deleted)
        assert list(state.objects) == ["/api/v1/namespaces/other"]


def test_what_holds_a_namespace_is_told(tmp_path: Path) -> None:
    """Not the namespace's name alone."""
    path = "/api/v1/namespaces/twinstack-verify"
    with api_server(tmp_path) as (state, config):
        metadata = {"name": "twinstack-verify", "labels": {verify_objects.LABEL: "true"}}
        condition = {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "no metrics"}
        state.objects[path] = {"kind": "Namespace", "metadata": metadata, "status": {"conditions": [condition]}}
        state.stays[path] = 1000
        api = verify_cluster.VerificationCluster(Client(str(config), None, verify_cluster.FIELD_MANAGER))
        (line,) = api.remove(0)
        assert line.startswith("Namespace twinstack-verify: NamespaceDeletionDiscoveryFailure: found no metrics")


def test_the_build_of_every_control_plane_is_known_or_known_to_be_unknown(tmp_path: Path) -> None:
    with api_server(tmp_path) as (state, config):
        state.kinds["apps/v1"] = {"Deployment": ("deployments", True)}
        state.kinds["v1"] |= {"Service": ("services", True), "Event": ("events", True)}
        state.kinds["discovery.k8s.io/v1"] = {"EndpointSlice": ("endpointslices", True)}
        for revision in ("stable", "canary"):
            labels = {"app": "istiod", "istio.io/rev": revision}
            state.objects[f"istiod-{revision}"] = {"kind": "Deployment", "metadata": {"labels": labels}}
        state.objects["injector"] = injector("stable")
        api = verify_cluster.VerificationCluster(Client(str(config), None, verify_cluster.FIELD_MANAGER))
        api.find_mesh()
        assert api.observe("own", "", {})["builds"] == {"stable": IMAGE, "canary": ""}


def test_reads_list_each_kind_once_and_a_refused_service_is_reported(tmp_path: Path) -> None:
    """Without a look at what kinds there are: the verification looks again and again, on a small control plane."""
    with api_server(tmp_path) as (state, config):
        api = verify_cluster.VerificationCluster(Client(str(config), None, verify_cluster.FIELD_MANAGER))
        state.kinds |= {
            "apps/v1": {"Deployment": ("deployments", True), "DaemonSet": ("daemonsets", True)},
            "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
        }
        state.kinds["v1"] |= {"Service": ("services", True), "Event": ("events", True)}
        for kind in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            state.objects[f"/api/v1/namespaces/own/{kind}"] = {"kind": "There", "metadata": {}}
        api.find_mesh()
        raw = api.observe("own", "", {})
        assert (raw["version"], raw["name"], raw["pools"], raw["service_cidrs"]) == ("v1.37.2", "kubernetes", None, [])
        assert len(state.asked) == len(set(state.asked)) == 18
        assert not [line for line in state.asked if line in ("GET /api/v1", "GET /apis/apps/v1")]
        state.refuse["/api/v1/namespaces/own/services"] = [(422, "no IPv6")]
        refused = api.create("own", "agnhost", 18080, "cafe")
        assert list(refused.values()) == ["no IPv6"]
        assert [line.rpartition("/")[2] for line in state.log] == ["namespaces", *["daemonsets"] * 3, *["services"] * 5]
