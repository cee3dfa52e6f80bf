"""Talking to the cluster for the verification: read, create, remove, run a shell in a pod. No decisions here.

Everything goes through the API server of one kubeconfig, so it depends on neither family of the pod network.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import OBSERVABILITY
from ansible_collections.twinstack.core.plugins.module_utils.istio.builds import CONTROL_PLANES, injected
from ansible_collections.twinstack.core.plugins.module_utils.istio.revisions import REVISION_LABEL
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, RefusedError, reason
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import APPLY_SET_LABEL, Key, Object
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path
from ansible_collections.twinstack.core.plugins.module_utils.kube.removal import wait_gone
from ansible_collections.twinstack.core.plugins.module_utils.observability import KIALI, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import (
    CONTAINER,
    LABEL,
    daemon_sets,
    gateway_deployment,
    gateway_routes,
    mesh_namespace,
    mesh_namespace_object,
    mesh_services,
    mesh_workloads,
    namespace,
    services,
)
from ansible_collections.twinstack.core.plugins.module_utils.verify.parse import SOCKET_FILES, SOCKETS
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import END_MARK, SCRIPT
from ansible_collections.twinstack.core.plugins.module_utils.verify.topology import (
    graph_path,
    rates_path,
    topology,
)

with suppress(ImportError):  # kube.module reports what is missing
    import yaml

POLL_SECONDS = 0.3
NAMESPACE_READY_SECONDS = 20.0
# What reads the kernel's tables in a foreign image, in the order of likelihood.
READERS = (
    ["cat", *SOCKET_FILES],
    ["python3", "-c", "import sys; [print(open(one).read(), end='') for one in sys.argv[1:]]", *SOCKET_FILES],
    ["busybox", "cat", *SOCKET_FILES],
)
NO_PROGRAM = re.compile(r'executable file not found|exec: ".*no such file', re.I)
DEFAULT_TAG = "istio-revision-tag-default"  # the webhook that says which revision whoever names none gets
FIELD_MANAGER = "twinstack-verify"
# Where the API has what is read and created.
CORE, APPS, NETWORKING, ISTIO = "v1", "apps/v1", "networking.k8s.io/v1", "networking.istio.io/v1"
SLICES, CALICO = ("discovery.k8s.io/v1", "endpointslices"), ("crd.projectcalico.org/v1", "ippools")
WEBHOOKS = ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")


class VerificationCluster:
    """What the verification reads, creates and removes in a cluster. Raises what `API_ERRORS` lists."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.mesh_revision = ""  # what find_mesh found
        self._builds: dict[str, str] = {}  # the same: image that each control plane injects, by revision
        self._gateways: list[Object] = []  # the same: read once, the verification looks every half second
        self._tenant_services: list[Object] = []  # all that are in tenants' namespaces

    # --- read ---------------------------------------------------------------------------------------------

    def observe(self, own: str, name: str, problems: dict[str, str]) -> dict[str, Any]:
        """The input of `observe.observe`. own: the verification's namespace; name: the cluster's, or empty."""
        meshed = (OBSERVABILITY, "istio-system") if self.mesh_revision else ()
        spaces = ("default", "kube-system", own, mesh_namespace(own), *meshed)
        kubeadm = self._config_map("kubeadm-config", "ClusterConfiguration")
        return {
            "name": name or str((kubeadm or {}).get("clusterName") or "kubernetes"),
            "namespace": own,
            "version": self._client.version(),
            "nodes": self._all(CORE, "nodes"),
            "pods": self._all(CORE, "pods"),
            "services": self._all(CORE, "services", spaces),
            "slices": self._all(*SLICES, spaces),
            "events": self._all(CORE, "events", (own, mesh_namespace(own))),
            "mesh_revision": self.mesh_revision,
            "builds": self._builds,
            "gateways": self._gateways,
            "tenant_services": self._tenant_services,
            "problems": problems,
            "kubeadm": kubeadm,
            "kube_proxy": self._config_map("kube-proxy", "config.conf"),
            "pools": self._pools(),
            "service_cidrs": self._service_cidrs(),
        }

    def everything(self) -> dict[str, Any]:
        """The input of `fingerprint`: what a verification of the whole cluster is about."""
        return {
            "nodes": self._all(CORE, "nodes"),
            "namespaces": self._all(CORE, "namespaces"),
            "pods": self._all(CORE, "pods"),
            "services": self._all(CORE, "services"),
            "slices": self._all(*SLICES),
            "policies": self._all(NETWORKING, "networkpolicies"),
            "pools": self._pools() or [],
        }

    def _all(self, api_version: str, plural: str, spaces: Iterable[str] = ("",), selector: str = "") -> list[Object]:
        """All objects of a kind in these namespaces; in all, and cluster-wide ones, without any."""
        return [item for space in spaces for item in self._client.items(path(api_version, plural, space), selector)]

    def _one(self, api_version: str, plural: str, space: str, name: str) -> Object | None:
        """An object; None when there is none, or no such kind."""
        try:
            return self._client.request("GET", path(api_version, plural, space, name))
        except RefusedError as error:
            if error.status != 404:
                raise
        return None

    def _read_gateways(self) -> list[Object]:
        """Services of tenants' gateways, each with the certificate of its Secret as ``certificate``."""
        selector = f"{APPLY_SET_LABEL}=tenants"
        found = self._all(CORE, "services", selector=selector)
        for item in found:
            secrets = self._all(CORE, "secrets", (item["metadata"]["namespace"],), selector)
            pem = [base64.b64decode(one["data"]["tls.crt"]).decode() for one in secrets if "tls.crt" in one["data"]]
            item["certificate"] = pem[0] if pem else ""
        return found

    def find_mesh(self) -> None:
        """Look for a mesh; remember the revision that pods get by default, and the gateways of tenants."""
        found = self._all(APPS, "deployments", selector="app=istiod")
        revisions = sorted(item["metadata"]["labels"].get(REVISION_LABEL, "default") for item in found)
        if not revisions:
            self.mesh_revision, self._builds, self._gateways, self._tenant_services = "", {}, [], []
            return
        known = injected(self._all(CORE, "configmaps", selector=CONTROL_PLANES))
        self._builds = {revision: known.get(revision, "") for revision in revisions}
        tag = self._one(*WEBHOOKS, "", DEFAULT_TAG)
        tagged = tag["metadata"].get("labels", {}).get(REVISION_LABEL, "") if tag else ""
        self.mesh_revision = tagged if tagged in revisions else revisions[0]
        self._gateways = self._read_gateways()
        spaces = sorted({item["metadata"]["namespace"] for item in self._gateways})
        self._tenant_services = self._all(CORE, "services", spaces)

    def _config_map(self, name: str, key: str) -> dict[str, Any] | None:
        config = self._one(CORE, "configmaps", "kube-system", name)
        found = yaml.safe_load(config.get("data", {}).get(key, "")) if config else None
        return found if isinstance(found, dict) else None

    def _pools(self) -> list[Object] | None:
        try:
            return self._all(*CALICO)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def _service_cidrs(self) -> list[str]:
        try:
            items = self._all(NETWORKING, "servicecidrs")
        except RefusedError as error:
            if error.status == 404:  # before Kubernetes 1.33
                return []
            raise
        return [cidr for item in items for cidr in item["spec"]["cidrs"]]

    def topology(self, *more: str) -> dict[str, Any]:
        """What `topology.topology` makes of Kiali's and Prometheus' answers; empty where they do not answer.

        more: namespaces besides those of tenants; Kiali refuses one that is not there.
        """
        spaces = {*more, *(item["metadata"]["namespace"] for item in self._gateways)}
        try:
            answers = [
                json.loads(self._client.page("services", OBSERVABILITY, name, port, page))
                for (name, port), page in ((KIALI, graph_path(spaces)), (PROMETHEUS, rates_path()))
            ]
        except (*API_ERRORS, ValueError):
            return {}
        return topology(*answers)

    # --- create -------------------------------------------------------------------------------------------

    def create(self, name: str, image: str, host_port: int, run: str) -> dict[str, str]:
        """Namespaces, agents and Services. Returns the API's refusals by Service name: a finding, not a crash.

        What starts comes first, because that is what takes long.
        """
        spaces = [namespace(name)]
        if self.mesh_revision:
            spaces.append(mesh_namespace_object(name, self.mesh_revision))
        for item in spaces:
            self._client.create(path(CORE, "namespaces"), item)
        for item in spaces:
            self._wait_for_service_account(item["metadata"]["name"])
        for daemon_set in daemon_sets(image, host_port):
            self._client.create(path(APPS, "daemonsets", name), daemon_set)
        if self.mesh_revision:
            self._create_mesh(name, image, run)
        problems = {}
        for service in services():
            try:
                self._client.create(path(CORE, "services", name), service)
            except RefusedError as error:
                problems[service["metadata"]["name"]] = reason(error)
        return problems

    def _create_mesh(self, name: str, image: str, run: str) -> None:
        """What is in the mesh, in its namespace."""
        space = mesh_namespace(name)
        for daemon_set in mesh_workloads(image, run):
            self._client.create(path(APPS, "daemonsets", space), daemon_set)
        self._client.create(path(APPS, "deployments", space), gateway_deployment())
        for service in mesh_services():
            self._client.create(path(CORE, "services", space), service)
        for plural, item in gateway_routes():
            # Refused while no istiod answers; then the gateway's own probes fail and say more than this answer would.
            with suppress(RefusedError):
                self._client.create(path(ISTIO, plural, space), item)

    def agents_run(self, own: str) -> bool:
        """A cheap hint, read often: whether the verification has pods, and all that it has run."""
        found = self._all(CORE, "pods", (own, *((mesh_namespace(own),) if self.mesh_revision else ())))
        return bool(found) and all(item["status"].get("phase") == "Running" for item in found)

    def _wait_for_service_account(self, name: str) -> None:
        """Pods made before these two exist are refused, or wait for kubelet's next try."""

        def there() -> bool:
            needed = (("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt"))
            return all(self._one(CORE, plural, name, one) is not None for plural, one in needed)

        wait_until(there, NAMESPACE_READY_SECONDS)

    # --- remove -------------------------------------------------------------------------------------------

    def remove(self, seconds: float) -> list[str]:
        """Removes every namespace that bears the verification's label; why those that are left do not go, as lines."""
        keys = [Key(CORE, "Namespace", "", name) for name in self.start_removal()]
        return wait_gone(self._client, keys, time.monotonic() + seconds)

    def start_removal(self) -> list[str]:
        """Begins to remove every namespace that bears the verification's label, all at the same time; their names."""
        names = self._own_namespaces()
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            list(pool.map(self._remove_namespace, names))
        return names

    def _own_namespaces(self) -> list[str]:
        return [item["metadata"]["name"] for item in self._all(CORE, "namespaces", selector=f"{LABEL}=true")]

    def _remove_namespace(self, name: str) -> None:
        """The namespace first: its controller pauses before it looks (namespaceDeletionGracePeriod, 5 s).

        What is slow to go meets its end in that pause, so that the controller finds an empty namespace; with something
        left in it, it would look again only after more pauses. The pods hold nothing that a grace period could save,
        and the kubelet cleans up behind them; endpoint slices go with their Services.
        """
        removals: tuple[tuple[str, dict[str, str]], ...] = (
            (path(CORE, "namespaces", name=name), {}),
            (path(APPS, "daemonsets", name), {}),
            (path(APPS, "deployments", name), {}),
            (path(CORE, "services", name), {}),
            (path(CORE, "pods", name), {"gracePeriodSeconds": "0"}),
        )

        def remove(removal: tuple[str, dict[str, str]]) -> None:
            try:
                self._client.request("DELETE", *removal)
            except RefusedError as error:
                if error.status not in (404, 409):  # gone, or already going
                    raise

        remove(removals[0])
        with ThreadPoolExecutor(len(removals) - 1) as pool:
            list(pool.map(remove, removals[1:]))

    # --- run ----------------------------------------------------------------------------------------------

    def run(self, space: str, pod: str, text: str, seconds: float) -> str:
        """The answer of `SCRIPT` in a pod to a batch. Raises OSError with the reason when there is no whole one."""
        command = ["sh", "-c", SCRIPT]
        where = space, pod, CONTAINER
        return self._client.execute(where, command, text, seconds, lambda said: said.endswith(END_MARK))

    def sockets(self, where: tuple[str, str, str], seconds: float) -> str:
        """The kernel's tables of sockets in a pod's network, in the form of `SCRIPT`'s answer; empty without a reader.

        where: namespace, pod and container.
        """
        for command in READERS:
            try:
                told = self._client.execute(where, command, "", seconds)
            except OSError as error:
                if NO_PROGRAM.search(str(error)):
                    continue
                raise
            return "".join(f"{SOCKETS}:{line}\n" for line in told.splitlines()) + END_MARK
        return END_MARK


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls; whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True
