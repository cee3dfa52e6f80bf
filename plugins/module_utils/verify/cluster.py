"""Talking to the cluster for the verification: read, create, remove, run a shell in a pod. No decisions here.

Everything goes through the API server of one kubeconfig, so it depends on neither family of the pod network.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

import kubernetes.client
import kubernetes.config
import kubernetes.stream
import urllib3.exceptions
import websocket
import yaml
from ansible_collections.twinstack.core.plugins.module_utils.contract import KIALI, OBSERVABILITY, PROMETHEUS
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import PART_LABEL
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
from kubernetes.client.exceptions import ApiException

REQUEST_SECONDS = (5, 30)  # to connect, to answer
POLL_SECONDS = 0.3
NAMESPACE_READY_SECONDS = 20.0
CHUNK = 16384
STDOUT, STDERR, STATUS = 1, 2, 3
# What reads the kernel's tables in somebody else's image, in the order of likelihood.
READERS = (
    ["cat", *SOCKET_FILES],
    ["python3", "-c", "import sys; [print(open(one).read(), end='') for one in sys.argv[1:]]", *SOCKET_FILES],
    ["busybox", "cat", *SOCKET_FILES],
)
NO_PROGRAM = re.compile(r'executable file not found|exec: ".*no such file', re.I)
ISTIO = ("networking.istio.io", "v1")
DEFAULT_TAG = "istio-revision-tag-default"  # the webhook that says which revision whoever names none gets
REVISION_LABEL = "istio.io/rev"
CALICO = ("crd.projectcalico.org", "v1", "ippools")

# What a broken way to the API raises, below and above HTTP.
API_ERRORS = (ApiException, urllib3.exceptions.HTTPError, websocket.WebSocketException, OSError)


def reason(error: Exception) -> str:
    """An API error in its own words."""
    body = getattr(error, "body", None)
    if body:
        try:
            return str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            pass
    return str(getattr(error, "reason", None) or error)


class Api:
    """One cluster. Raises what `API_ERRORS` lists, and kubernetes.config.ConfigException for a bad kubeconfig."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        self._configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=self._configuration
        )
        client = kubernetes.client.ApiClient(self._configuration)
        self._client = client
        self._core = kubernetes.client.CoreV1Api(client)
        self._apps = kubernetes.client.AppsV1Api(client)
        self._slices = kubernetes.client.DiscoveryV1Api(client)
        self._networking = kubernetes.client.NetworkingV1Api(client)
        self._custom = kubernetes.client.CustomObjectsApi(client)
        self._admission = kubernetes.client.AdmissionregistrationV1Api(client)
        self._version = kubernetes.client.VersionApi(client)
        websocket.setdefaulttimeout(REQUEST_SECONDS[1])
        self.mesh_revision = ""  # what find_mesh found
        self._gateways: list[dict[str, Any]] = []  # the same: read once, the verification looks every half second
        self._tenant_services: list[dict[str, Any]] = []  # all that are in tenants' namespaces

    # --- read ---------------------------------------------------------------------------------------------

    def observe(self, own: str, name: str, problems: dict[str, str]) -> dict[str, Any]:
        """The input of `verify_observe.observe`. own: the verification's namespace; name: the cluster's, or empty."""
        meshed = (OBSERVABILITY, "istio-system") if self.mesh_revision else ()
        spaces = ("default", "kube-system", own, mesh_namespace(own), *meshed)
        kubeadm = self._config_map("kubeadm-config", "ClusterConfiguration")
        return {
            "name": name or str((kubeadm or {}).get("clusterName") or "kubernetes"),
            "namespace": own,
            "version": _plain(self._version.get_code, ())["gitVersion"],
            "nodes": _plain(self._core.list_node)["items"],
            "pods": _plain(self._core.list_pod_for_all_namespaces)["items"],
            "services": [
                item for space in spaces for item in _plain(self._core.list_namespaced_service, (space,))["items"]
            ],
            "slices": [
                item
                for space in spaces
                for item in _plain(self._slices.list_namespaced_endpoint_slice, (space,))["items"]
            ],
            "events": [
                item
                for space in (own, mesh_namespace(own))
                for item in _plain(self._core.list_namespaced_event, (space,))["items"]
            ],
            "mesh_revision": self.mesh_revision,
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
            "nodes": _plain(self._core.list_node)["items"],
            "namespaces": _plain(self._core.list_namespace)["items"],
            "pods": _plain(self._core.list_pod_for_all_namespaces)["items"],
            "services": _plain(self._core.list_service_for_all_namespaces)["items"],
            "slices": _plain(self._slices.list_endpoint_slice_for_all_namespaces)["items"],
            "policies": _plain(self._networking.list_network_policy_for_all_namespaces)["items"],
            "pools": self._pools() or [],
        }

    def _read_gateways(self) -> list[dict[str, Any]]:
        """Services of tenants' gateways, each with the certificate of its Secret as ``certificate``."""
        selector = f"{PART_LABEL}=tenants"
        found = _plain(self._core.list_service_for_all_namespaces, (), label_selector=selector)["items"]
        for item in found:
            space = item["metadata"]["namespace"]
            names = _plain(self._core.list_namespaced_secret, (space,), label_selector=selector)["items"]
            pem = [base64.b64decode(one["data"]["tls.crt"]).decode() for one in names if "tls.crt" in one["data"]]
            item["certificate"] = pem[0] if pem else ""
        return found

    def find_mesh(self) -> None:
        """Look for a mesh; remember the revision that pods get by default, and the gateways of tenants."""
        found = _plain(self._apps.list_deployment_for_all_namespaces, (), label_selector="app=istiod")["items"]
        revisions = sorted(item["metadata"]["labels"].get(REVISION_LABEL, "default") for item in found)
        if not revisions:
            self.mesh_revision, self._gateways, self._tenant_services = "", [], []
            return
        try:
            tag = _plain(self._admission.read_mutating_webhook_configuration, (DEFAULT_TAG,))
            tagged = tag["metadata"].get("labels", {}).get(REVISION_LABEL, "")
        except ApiException as error:
            if error.status != 404:
                raise
            tagged = ""
        self.mesh_revision = tagged if tagged in revisions else revisions[0]
        self._gateways = self._read_gateways()
        spaces = sorted({item["metadata"]["namespace"] for item in self._gateways})
        self._tenant_services = [
            item for space in spaces for item in _plain(self._core.list_namespaced_service, (space,))["items"]
        ]

    def _config_map(self, name: str, key: str) -> dict[str, Any] | None:
        try:
            data = _plain(self._core.read_namespaced_config_map, (name, "kube-system")).get("data", {})
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        found = yaml.safe_load(data.get(key, ""))
        return found if isinstance(found, dict) else None

    def _pools(self) -> list[dict[str, Any]] | None:
        try:
            return list(self._custom.list_cluster_custom_object(*CALICO, _request_timeout=REQUEST_SECONDS)["items"])
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _service_cidrs(self) -> list[str]:
        try:
            items = _plain(self._networking.list_service_cidr)["items"]
        except ApiException as error:
            if error.status == 404:  # before Kubernetes 1.33
                return []
            raise
        return [cidr for item in items for cidr in item["spec"]["cidrs"]]

    def topology(self, *more: str) -> dict[str, Any]:
        """What `verify_topology.topology` makes of Kiali's and Prometheus' answers; empty where they do not answer.

        more: namespaces besides those of tenants; Kiali refuses one that is not there.
        """
        spaces = {*more, *(item["metadata"]["namespace"] for item in self._gateways)}
        try:
            answers = [
                json.loads(self.page(OBSERVABILITY, name, port, path))
                for (name, port), path in ((KIALI, graph_path(spaces)), (PROMETHEUS, rates_path()))
            ]
        except (*API_ERRORS, ValueError):
            return {}
        return topology(*answers)

    def page(self, space: str, service: str, port: int, path: str) -> bytes:
        """A page of a Service through the API server."""
        root, _, query = path.partition("?")
        found: bytes = self._client.call_api(
            *self._client.param_serialize(
                method="GET",
                resource_path=f"/api/v1/namespaces/{space}/services/{service}:{port}/proxy{root}",
                query_params=parse_qsl(query),
                header_params={"Accept": "*/*"},
                auth_settings=["BearerToken"],
            ),
            _request_timeout=REQUEST_SECONDS,
        ).read()
        return found

    # --- create -------------------------------------------------------------------------------------------

    def create(self, name: str, image: str, host_port: int, run: str) -> dict[str, str]:
        """Namespaces, agents and Services. Returns the API's refusals by Service name: a finding, not a crash.

        What starts comes first, because that is what takes long.
        """
        spaces = [namespace(name)]
        if self.mesh_revision:
            spaces.append(mesh_namespace_object(name, self.mesh_revision))
        for item in spaces:
            self._core.create_namespace(item, _request_timeout=REQUEST_SECONDS)
        for item in spaces:
            self._wait_for_service_account(item["metadata"]["name"])
        for daemon_set in daemon_sets(image, host_port):
            self._apps.create_namespaced_daemon_set(name, daemon_set, _request_timeout=REQUEST_SECONDS)
        if self.mesh_revision:
            self._create_mesh(name, image, run)
        problems = {}
        for service in services():
            try:
                self._core.create_namespaced_service(name, service, _request_timeout=REQUEST_SECONDS)
            except ApiException as error:
                problems[service["metadata"]["name"]] = reason(error)
        return problems

    def _create_mesh(self, name: str, image: str, run: str) -> None:
        """What is in the mesh, in its namespace."""
        space = mesh_namespace(name)
        for daemon_set in mesh_workloads(image, run):
            self._apps.create_namespaced_daemon_set(space, daemon_set, _request_timeout=REQUEST_SECONDS)
        self._apps.create_namespaced_deployment(space, gateway_deployment(), _request_timeout=REQUEST_SECONDS)
        for service in mesh_services():
            self._core.create_namespaced_service(space, service, _request_timeout=REQUEST_SECONDS)
        for plural, item in gateway_routes():
            # Refused while no istiod answers; then the gateway's own probes fail and say more than this answer would.
            with suppress(ApiException):
                self._custom.create_namespaced_custom_object(
                    *ISTIO, space, plural, item, _request_timeout=REQUEST_SECONDS
                )

    def agents_run(self, own: str) -> bool:
        """A cheap hint, asked for often: whether the verification has pods, and all that it has run."""
        found = [
            item["status"].get("phase")
            for space in (own, *((mesh_namespace(own),) if self.mesh_revision else ()))
            for item in _plain(self._core.list_namespaced_pod, (space,))["items"]
        ]
        return bool(found) and all(phase == "Running" for phase in found)

    def _wait_for_service_account(self, name: str) -> None:
        """Pods made before these two exist are refused, or wait for kubelet's next try."""

        def there() -> bool:
            try:
                _plain(self._core.read_namespaced_service_account, ("default", name))
                _plain(self._core.read_namespaced_config_map, ("kube-root-ca.crt", name))
            except ApiException as error:
                if error.status == 404:
                    return False
                raise
            return True

        wait_until(there, NAMESPACE_READY_SECONDS)

    # --- remove -------------------------------------------------------------------------------------------

    def remove(self, seconds: float) -> list[str]:
        """Removes every namespace that bears the verification's label; returns those that are still there."""
        self.start_removal()
        wait_until(lambda: not self._own_namespaces(), seconds)
        return self._own_namespaces()

    def start_removal(self) -> None:
        """Begins to remove every namespace that bears the verification's label, all at the same time."""
        names = self._own_namespaces()
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            list(pool.map(self._remove_namespace, names))

    def _own_namespaces(self) -> list[str]:
        found = _plain(self._core.list_namespace, (), label_selector=f"{LABEL}=true")["items"]
        return [item["metadata"]["name"] for item in found]

    def _remove_namespace(self, name: str) -> None:
        """The namespace first: its controller pauses before it looks (namespaceDeletionGracePeriod, 5 s).

        What is slow to go meets its end in that pause, so that the controller finds an empty namespace; with something
        left in it, it would look again only after more pauses. The pods hold nothing that a grace period could save,
        and the kubelet cleans up behind them; endpoint slices go with their Services.
        """
        removals: tuple[tuple[Callable[..., Any], dict[str, Any]], ...] = (
            (self._core.delete_namespace, {}),
            (self._apps.delete_collection_namespaced_daemon_set, {}),
            (self._apps.delete_collection_namespaced_deployment, {}),
            (self._core.delete_collection_namespaced_service, {}),
            (self._core.delete_collection_namespaced_pod, {"grace_period_seconds": 0}),
        )

        def remove(removal: tuple[Callable[..., Any], dict[str, Any]]) -> None:
            method, options = removal
            try:
                method(name, _request_timeout=REQUEST_SECONDS, **options)
            except ApiException as error:
                if error.status not in (404, 409):  # gone, or already going
                    raise

        remove(removals[0])
        with ThreadPoolExecutor(len(removals) - 1) as pool:
            list(pool.map(remove, removals[1:]))

    # --- run ----------------------------------------------------------------------------------------------

    def run(self, space: str, pod: str, text: str, seconds: float) -> str:
        """The answer of `SCRIPT` in a pod to a batch. Raises OSError with the reason when there is no whole one."""
        command = ["sh", "-c", SCRIPT]
        return self.execute((space, pod, CONTAINER), command, text, seconds, lambda said: said.endswith(END_MARK))

    def sockets(self, where: tuple[str, str, str], seconds: float) -> str:
        """The kernel's tables of sockets in a pod's network, in the form of `SCRIPT`'s answer; empty without a reader.

        where: namespace, pod and container.
        """
        for command in READERS:
            try:
                told = self.execute(where, command, "", seconds)
            except OSError as error:
                if NO_PROGRAM.search(str(error)):
                    continue
                raise
            return "".join(f"{SOCKETS}:{line}\n" for line in told.splitlines()) + END_MARK
        return END_MARK

    def execute(
        self,
        where: tuple[str, str, str],
        command: list[str],
        text: str,
        seconds: float,
        whole: Callable[[str], bool] | None = None,
    ) -> str:
        """Standard output of a command in a container. Raises OSError with the reason when it is not whole in time.

        where: namespace, pod and container; text: for its standard input; whole: whether the output is, without the
        white space at its end; without it the command must end by itself, with success.

        Safe in threads: the stream call changes its client while it connects, so every call has a client of its own.
        """
        space, pod, container = where
        core = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(self._configuration))
        try:
            shell = kubernetes.stream.stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                space,
                container=container,
                command=command,
                stdin=True,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
        except API_ERRORS as error:
            raise OSError(f"exec refused: {reason(error)}") from error
        output = ""
        try:
            for start in range(0, len(text), CHUNK):
                shell.write_stdin(text[start : start + CHUNK])
            end = time.monotonic() + seconds
            while shell.is_open() and time.monotonic() < end and not (whole and whole(output.rstrip())):
                shell.update(timeout=1)
                output += shell.read_channel(STDOUT)
            output += shell.read_channel(STDOUT)
            errors = shell.read_channel(STDERR)
            ended, told = (False, "") if shell.is_open() else _ended(shell.read_channel(STATUS))
            errors += told
        except API_ERRORS as error:
            raise OSError(f"exec broke off: {reason(error)}") from error
        finally:
            shell.close()
        if not (whole(output.rstrip()) if whole else ended):
            said = (errors or output).strip()[-200:] or "nothing at all"
            raise OSError(f"no whole answer in {seconds:.0f} s: {said}")
        return output


def _ended(status: str) -> tuple[bool, str]:
    """Whether a command ended with success, by the API's Status, and what that says when it did not."""
    try:
        told = json.loads(status)
        return told["status"] == "Success", str(told.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return False, status


def _plain(method: Callable[..., Any], arguments: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """A read as the API's own JSON instead of the client's classes."""
    response = method(*arguments, _preload_content=False, _request_timeout=REQUEST_SECONDS, **options)
    found = json.loads(response.data)
    return dict(found)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls; whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True
