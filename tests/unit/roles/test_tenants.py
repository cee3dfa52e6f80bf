"""Role tenants against a server that plays the API: in which order a run writes, and what one that died leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Run
from tests.unit.kube_server import State, api_server

POINTS = ("apply", "canary", "prune", "rate_limit", "wait", "validate", "held")
# An istioctl that finds nothing, and writes down that it was asked.
ISTIOCTL = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in *analyze*) echo '[]' ;; *) echo '{{}}' ;; esac
"""
KINDS = {
    "v1": {"Service": "services", "ServiceAccount": "serviceaccounts", "ResourceQuota": "resourcequotas"}
    | {"LimitRange": "limitranges"},
    "apps/v1": {"Deployment": "deployments", "ReplicaSet": "replicasets"},
    "networking.istio.io/v1": {"Gateway": "gateways", "Sidecar": "sidecars"}
    | {"DestinationRule": "destinationrules", "VirtualService": "virtualservices"},
    "networking.istio.io/v1alpha3": {"EnvoyFilter": "envoyfilters"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "rbac.authorization.k8s.io/v1": {"Role": "roles", "RoleBinding": "rolebindings"},
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
NOTE = "istio_pending_validation"


class Site:
    """Runs the entry points of role tenants in the order of the playbooks. broken: Deployments that never start."""

    def __init__(self, state: State, folder: Path, playbook: Callable[..., Run]) -> None:
        self.state, self.folder, self._playbook = state, folder, playbook
        self.broken: set[str] = set()
        for version, kinds in KINDS.items():
            state.kinds.setdefault(version, {}).update({kind: (name, True) for kind, name in kinds.items()})
        state.changed = self.control
        for name in ("kube-system", "istio-system"):
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            state.objects[f"/api/v1/namespaces/{name}"] = space
        path = "/apis/apps/v1/namespaces/istio-system/deployments/istiod-stable"
        place = {"name": "istiod-stable", "namespace": "istio-system"}
        state.objects[path] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place, "spec": {}}
        self.control(path)
        image = {"name": "twinstack.internal/demo:1", "digest": "sha256:0"}
        item = {"name": "i", "kind": "image_set", "groups": [], "path": str(folder / "i"), "images": [image]}
        program = {"name": "istioctl", "kind": "binary", "groups": [], "path": str(folder / "istioctl")}
        (folder / "bundle.json").write_text(json.dumps({"schema": 2, "artifacts": {"i": item, "istioctl": program}}))
        (folder / "i").touch()
        (folder / "istioctl").write_text(ISTIOCTL.format(folder=folder))
        (folder / "istioctl").chmod(0o755)

    def control(self, path: str) -> None:
        """Play the controller of Deployments."""
        if "/deployments/" in path and path in self.state.objects:
            ready = int(path.rpartition("/")[2] not in self.broken)
            wanted = self.state.objects[path]["spec"].get("replicas", 1)
            status = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted * ready}
            passed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
            status |= {"availableReplicas": wanted * ready, "conditions": [] if ready else [passed]}
            self.state.objects[path]["status"] = status

    def run(self, *versions: str, words: tuple[str, ...] = (), points: tuple[str, ...] = POINTS) -> Run:
        """A run for tenant shop, whose service basket has these versions; none without any."""
        tenant: dict[str, Any] = {"name": "shop", "http_port": 30080}
        if versions:
            tenant |= {"services": [{"name": "basket", "versions": list(versions)}], "routes": [{"service": "basket"}]}
        roles = [("istio", "pending"), *(("istio" if one == "validate" else "tenants", one) for one in points)]
        tasks = [
            {"name": point, "ansible.builtin.include_role": {"name": f"twinstack.core.{role}", "tasks_from": point}}
            for role, point in roles
        ]
        defaults = {"group/twinstack.core.kubernetes": {"kubeconfig": str(self.folder / "kubeconfig")}}
        play = {"name": "P", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        play |= {"module_defaults": defaults, "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
        (self.folder / "play.yml").write_text(json.dumps([play]))
        host = {"hosts": {"n1": {"ipv4": "192.168.1.11", "ipv6": "fd00::11"}}}
        inventory = {"all": {"children": {"control_plane": host, "worker": {"hosts": {}}}}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        given: dict[str, Any] = {
            "twinstack_tenants": [tenant],
            "twinstack_artifacts_dir": str(self.folder),
            "primary_family": "ipv4",
        }
        given |= {"twinstack_secrets_dir": str(self.folder), "tenants_wait_timeout": 5, "tenants_traffic_timeout": 5}
        given |= {"istio_rejected_config_seconds": 0}
        given |= {"pod_cidrs": ["10.244.0.0/16", "fd00:244::/48"], "service_cidrs": ["10.96.0.0/16", "fd00:96::/112"]}
        self.state.log.clear()
        place = ("-i", str(self.folder / "hosts.json"), str(self.folder / "play.yml"))
        given |= {"validate_inventory_done": True}  # the tests are of the role, their inventory is no whole one
        return self._playbook(*place, "-e", json.dumps(given), *words)

    def order(self, *names: str) -> list[str]:
        """Writes to objects of these kinds and names, in order."""
        short = [f"{line.split()[0]} {'/'.join(line.rsplit('/', 2)[-2:])}" for line in self.state.log]
        return [line for line in short if line.split()[1] in names]


@pytest.fixture
def site(tmp_path: Path, playbook: Callable[..., Run]) -> Iterator[Site]:
    """A cluster with a mesh."""
    with api_server(tmp_path) as (state, _kubeconfig):
        yield Site(state, tmp_path, playbook)


WATCHED = ("deployments/basket-v1", "deployments/basket-v2", "destinationrules/basket", "virtualservices/basket")


def test_a_promotion_deletes_the_old_pods_last_and_a_second_run_changes_nothing(site: Site) -> None:
    site.run("v1", "v2").succeeded()
    assert set(site.order(*WATCHED)) == {f"PATCH {name}" for name in WATCHED} and len(site.order(*WATCHED)) == 4
    told = site.run("v2", words=("--check",)).succeeded()
    assert site.state.log == [] and "changed=2" in told.output
    site.run("v2").succeeded()
    assert site.order(*WATCHED) == [
        "PATCH virtualservices/basket",
        "PATCH destinationrules/basket",
        "DELETE deployments/basket-v1",
    ]
    (site.folder / "asked").unlink()
    again = site.run("v2").succeeded()
    assert "changed=0" in again.output and site.state.log == []
    assert not (site.folder / NOTE).exists() and not (site.folder / "asked").exists(), "nothing to validate"
    site.run().succeeded()
    gone = site.order(*WATCHED, "services/basket")
    assert gone[:2] == ["DELETE virtualservices/basket", "DELETE destinationrules/basket"]
    assert set(gone[2:]) == {"DELETE deployments/basket-v2", "DELETE services/basket"}


def test_a_version_that_does_not_start_fails_the_run_in_the_end_and_nothing_is_removed(site: Site) -> None:
    site.run("v1").succeeded()
    site.broken = {"basket-v2"}
    site.run("v2", points=("apply", "prune")).succeeded()
    assert site.order(*WATCHED) == ["PATCH deployments/basket-v2"], "without its routes, as with --tags tenants"
    failed = site.run("v2")
    said = " ".join(failed.output.split())
    assert failed.code != 0 and "shop/basket: Deployment shop/basket-v2" in said and "ProgressDeadline" in said
    assert site.order(*WATCHED) == [], "no route, and nothing removed"
    site.run("v1").succeeded()
    assert site.order(*WATCHED) == ["DELETE deployments/basket-v2"]


def test_a_run_that_died_leaves_a_note_and_the_next_one_validates(site: Site) -> None:
    site.run("v1", words=("--check",)).succeeded()
    assert not (site.folder / NOTE).exists(), "check mode writes nothing"
    site.state.refuse[f"{DEPLOYMENTS}/basket-v1"] = [(403, "no")]
    assert site.run("v1").code != 0
    assert (site.folder / NOTE).exists()
    site.run("v1").succeeded()
    assert not (site.folder / NOTE).exists() and "analyze" in (site.folder / "asked").read_text()


@pytest.mark.parametrize("path", ["tenancy/apply.yml", "istio/upgrade_tenants.yml"])
def test_what_has_to_be_validated_is_noted_before_anything_is_applied_by_any_tag(path: str) -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks" / path).read_text(encoding="utf-8"))
    points = [task["ansible.builtin.import_role"].get("tasks_from", "main") for task in play["tasks"]]
    tags = {tag for task in play["tasks"] for tag in task["tags"]}
    noted = points.index("pending")
    assert noted < points.index("apply") and set(play["tasks"][noted]["tags"]) == tags
    assert points.index("canary") < points.index("prune")
