"""Talking to a cluster's API: any kind of object, pages behind it, commands in pods. No decisions here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from ansible_collections.twinstack.core.plugins.module_utils.kube.discovery import (
    AGGREGATED,
    METADATA,
    Resource,
    Served,
    parse,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import (
    KubeconfigError,
    RefusedError,
    UnknownKindError,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.exec import execute
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path as path_of
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import proxy

with suppress(ImportError):  # kube.module reports what is missing
    import kubernetes.client
    import kubernetes.config
    from kubernetes.client.exceptions import ApiException

REQUEST_SECONDS = (5, 30)  # to connect, to answer
APPLY = "application/apply-patch+yaml"  # JSON is YAML
JSON = "application/json"
MERGE = "application/merge-patch+json"

# A key may be there more than once.
Query = Mapping[str, str] | Sequence[tuple[str, str]] | None


class Client:
    """One cluster. Raises `RefusedError`, `UnknownKindError` and CONNECTION_ERRORS. Safe in threads."""

    def __init__(self, kubeconfig: str, context: str | None, field_manager: str, retries: bool = False) -> None:
        """Raises `KubeconfigError` for a bad kubeconfig.

        field_manager: owner of what is applied or created. retries: a connection that breaks is tried three times more,
        as urllib3 does by default; else the first error is reported.
        """
        self._configuration = kubernetes.client.Configuration()
        try:
            kubernetes.config.load_kube_config(
                config_file=kubeconfig, context=context, client_configuration=self._configuration
            )
        except kubernetes.config.ConfigException as error:
            raise KubeconfigError(str(error)) from error
        self._configuration.retries = None if retries else False
        self._client = kubernetes.client.ApiClient(self._configuration)
        self.manager = field_manager
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def request(
        self, method: str, path: str, query: Query = None, body: Any = None, content: str = "", accept: str = JSON
    ) -> Object:
        """One request. body: anything that JSON can hold. accept: a form of JSON."""
        found: Object = json.loads(self._call(method, path, query, body, content, accept))
        return found

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)

    def text(self, path: str, query: Query = None, seconds: float = REQUEST_SECONDS[1]) -> str:
        """What a path answers as plain text, such as a pod's own page through the API server. seconds: to answer."""
        return self._call("GET", path, query, None, "", "*/*", seconds=seconds).decode(errors="replace")

    def page(self, plural: str, namespace: str, name: str, port: int, path: str) -> bytes:
        """A page of a Service or pod through the API server, whatever its HTTP status: whoever made it means it so.

        plural: services or pods; path: with its query.
        """
        root, _, query = path.partition("?")
        where = f"{proxy(plural, namespace, name, port)}{root}"
        return self._call("GET", where, parse_qsl(query), None, "", "*/*", refusals=False)

    def logs(self, namespace: str, pod: str) -> str:
        """What a pod of one container has logged."""
        return self.text(f"{path_of('v1', 'pods', namespace, pod)}/log")

    def version(self) -> str:
        """The cluster's, such as ``v1.37.2``."""
        return str(self.request("GET", "/version")["gitVersion"])

    def execute(
        self,
        where: tuple[str, str, str],
        command: list[str],
        text: str,
        seconds: float,
        whole: Callable[[str], bool] | None = None,
    ) -> str:
        """Standard output of a command in a container, see `exec.execute`. Raises OSError only."""
        return execute(self._configuration, where, command, text, seconds, whole)

    def _call(
        self,
        method: str,
        path: str,
        query: Query,
        body: Any,
        content: str,
        accept: str,
        refusals: bool = True,
        seconds: float = REQUEST_SECONDS[1],
    ) -> bytes:
        headers = {"Accept": accept}
        if content:
            headers["Content-Type"] = content
        parts = self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list(query.items()) if isinstance(query, Mapping) else list(query or ()),
            header_params=headers,
            body=json.dumps(body) if content == APPLY else body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*parts, _request_timeout=(REQUEST_SECONDS[0], seconds))
        except ApiException as error:  # the client's word for a connection that broke has no HTTP status
            raise ConnectionError(" ".join(str(error.reason).split())) from error
        data = response.read()
        if refusals and not 200 <= response.status < 300:
            raise RefusedError(response.status, _message(data) or str(response.reason))
        return bytes(data)

    def learn(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """Kinds of a group and version: (name in paths, whether it lives in namespaces). Empty when not served."""
        if api_version not in self._kinds:
            try:
                listed = self.request("GET", path_of(api_version))["resources"]
            except RefusedError as error:
                if error.status != 404:
                    raise
                return {}
            self._kinds[api_version] = {
                item["kind"]: (item["name"], bool(item["namespaced"])) for item in listed if "/" not in item["name"]
            }
        return self._kinds[api_version]

    def discover(self) -> Served:
        """Kinds that live in namespaces, of all groups, and which servers of them do not answer."""
        roots = [self.request("GET", root, accept=AGGREGATED) for root in ("/api", "/apis")]
        return parse([group for root in roots for group in root["items"]])

    def inside(self, resource: Resource, namespace: str) -> list[Object]:
        """Metadata of all objects of a kind in a namespace; none when the kind is gone meanwhile."""
        where = path_of(resource.api_version, resource.plural, namespace)
        try:
            items = self.request("GET", where, accept=METADATA)["items"]
        except RefusedError as error:
            if error.status != 404:
                raise
            return []
        return [{**item, "apiVersion": resource.api_version, "kind": resource.kind} for item in items]

    def forget(self, api_version: str) -> None:
        """Discover this version's kinds again next time."""
        self._kinds.pop(api_version, None)

    def _path(self, key: Key) -> str:
        known = self.learn(key.api_version)
        if key.kind not in known:
            self.forget(key.api_version)
            raise UnknownKindError(f"{key.api_version} {key.kind}")
        plural, namespaced = known[key.kind]
        space = key.namespace or "default" if namespaced else ""
        return path_of(key.api_version, plural, space, key.name)

    def get(self, key: Key) -> Object | None:
        """The object, None when there is none."""
        try:
            return self.request("GET", self._path(key))
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, item: Object, key: Key, dry_run: bool, force: bool) -> Object:
        """Server-side apply; the object as it is then, or would be."""
        query = {"fieldManager": self.manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", self._path(key), query, item, APPLY)

    def merge(self, key: Key, patch: Mapping[str, Any], manager: str) -> Object:
        """JSON merge patch; the object as it is then."""
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        return self.request("PATCH", self._path(key), query, dict(patch), MERGE)

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind in all namespaces; none when the kind is not served."""
        known = self.learn(api_version)
        if kind not in known:
            return []
        items = self.items(path_of(api_version, known[kind][0]), selector)
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def items(self, path: str, selector: str = "") -> Sequence[Object]:
        """All objects at a path, without a look at what kinds there are."""
        found: Sequence[Object] = self.request("GET", path, {"labelSelector": selector} if selector else {})["items"]
        return found

    def create(self, path: str, item: Object) -> Object:
        """A new object at the path of its kind and namespace; one that is there already is a refusal."""
        return self.request("POST", path, {"fieldManager": self.manager}, item, JSON)

    def delete(self, key: Key, dry_run: bool) -> None:
        """Remove an object; nothing happens when there is none."""
        query = {"propagationPolicy": "Background"} | ({"dryRun": "All"} if dry_run else {})
        try:
            self.request("DELETE", self._path(key), query)
        except RefusedError as error:
            if error.status != 404:
                raise


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()[:500]
