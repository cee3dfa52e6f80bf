"""Talking to a cluster's API about any kind of object. No decisions here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import kubernetes.client
import kubernetes.config
import urllib3.exceptions
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object
from kubernetes.client.exceptions import ApiException

REQUEST_SECONDS = (5, 30)  # to connect, to answer
APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"

# A key may be there more than once.
Query = Mapping[str, str] | Sequence[tuple[str, str]] | None

# What a broken way to the API raises.
CONNECTION_ERRORS = (urllib3.exceptions.HTTPError, OSError)


class RefusedError(Exception):
    """An answer of the API server that is no success. status: the HTTP status; the text is the server's own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class UnknownKindError(Exception):
    """The cluster does not serve this kind."""


class Client:
    """One cluster. Raises `RefusedError`, `UnknownKindError` and CONNECTION_ERRORS. Safe in threads."""

    def __init__(self, kubeconfig: str, context: str | None, field_manager: str) -> None:
        """Raises kubernetes.config.ConfigException for a bad kubeconfig."""
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
        configuration.retries = False
        self._client = kubernetes.client.ApiClient(configuration)
        self._manager = field_manager
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def request(self, method: str, path: str, query: Query = None, body: Any = None, content: str = "") -> Object:
        """One request. body: anything that JSON can hold."""
        found: Object = json.loads(self._call(method, path, query, body, content, "application/json"))
        return found

    def text(self, path: str, query: Query = None) -> str:
        """What a path answers as plain text, such as a pod's own page through the API server."""
        return self._call("GET", path, query, None, "", "*/*").decode(errors="replace")

    def _call(self, method: str, path: str, query: Query, body: Any, content: str, accept: str) -> bytes:
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
            response = self._client.call_api(*parts, _request_timeout=REQUEST_SECONDS)
        except ApiException as error:  # the client's word for a connection that broke has no HTTP status
            raise ConnectionError(" ".join(str(error.reason).split())) from error
        data = response.read()
        if not 200 <= response.status < 300:
            raise RefusedError(response.status, _message(data))
        return bytes(data)

    def learn(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """Kinds of a group and version: (name in paths, whether it lives in namespaces). Empty when not served."""
        if api_version not in self._kinds:
            try:
                listed = self.request("GET", _root(api_version))["resources"]
            except RefusedError as error:
                if error.status != 404:
                    raise
                return {}
            self._kinds[api_version] = {
                item["kind"]: (item["name"], bool(item["namespaced"])) for item in listed if "/" not in item["name"]
            }
        return self._kinds[api_version]

    def forget(self, api_version: str) -> None:
        """Ask again for this version's kinds next time."""
        self._kinds.pop(api_version, None)

    def _path(self, key: Key) -> str:
        known = self.learn(key.api_version)
        if key.kind not in known:
            self.forget(key.api_version)
            raise UnknownKindError(f"{key.api_version} {key.kind}")
        plural, namespaced = known[key.kind]
        space = f"/namespaces/{quote(key.namespace or 'default', safe='')}" if namespaced else ""
        return f"{_root(key.api_version)}{space}/{plural}/{quote(key.name, safe='')}"

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
        query = {"fieldManager": self._manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
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
        query = {"labelSelector": selector} if selector else {}
        items = self.request("GET", f"{_root(api_version)}/{known[kind][0]}", query)["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def delete(self, key: Key, dry_run: bool) -> None:
        """Remove an object; nothing happens when there is none."""
        query = {"propagationPolicy": "Background"} | ({"dryRun": "All"} if dry_run else {})
        try:
            self.request("DELETE", self._path(key), query)
        except RefusedError as error:
            if error.status != 404:
                raise


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()[:500]
