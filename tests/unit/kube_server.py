"""A small API server on the loopback for tests: discovery, reads, creation, server-side apply, merge, delete, dry run.

It keeps objects in memory and treats an apply as a merge, which is enough to tell what a client sent and in what order.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

CORE = {
    "Namespace": ("namespaces", False),
    "ConfigMap": ("configmaps", True),
    "Pod": ("pods", True),
    "Node": ("nodes", False),
    "Secret": ("secrets", True),
}
Page = Callable[[str, list[tuple[str, str]]], tuple[int, Any]]
DEFINITIONS = {"CustomResourceDefinition": ("customresourcedefinitions", False)}
VERBS = ["create", "delete", "get", "list", "patch"]
DISCOVERY = "g=apidiscovery.k8s.io"


class State:
    """What the server holds. log: method and path of every request that changes something.

    asked: every request as it came. changed: plays the controllers, called with the path after each change.
    pages: who answers instead of the API, by the beginning of a path; gets the path's rest and the query. Bytes go as
    they are, anything else as JSON.
    stays: by path, how many looks at anything an object is still there after its removal.
    stale: groups with their version whose server does not answer, as discovery says it. read_only: plurals that can be
    listed and not deleted.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, tuple[str, bool]]] = {"v1": dict(CORE), "apiextensions.k8s.io/v1": DEFINITIONS}
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.asked: list[str] = []
        self.pages: dict[str, Page] = {}
        self.stays: dict[str, int] = {}
        self.stale: list[str] = []
        self.read_only: set[str] = set()
        self.changed: Callable[[str], None] = lambda path: None
        self.refuse: dict[str, list[tuple[int, str]]] = {}
        self.version = 0
        self.establishes = True
        self.lock = threading.Lock()


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _merged(old.get(key), new[key]) if key in new else old[key] for key in {**old, **new}}
    return new


def _managed(item: dict[str, Any], old: dict[str, Any] | None, manager: str, operation: str) -> dict[str, Any]:
    """The object with a note of who wrote it and how, beside those of the object before."""
    entry = {"manager": manager, "operation": operation}
    entries = ((old or {}).get("metadata") or {}).get("managedFields") or []
    kept = [one for one in entries if one != entry]
    return _merged(item, {"metadata": {"managedFields": [*kept, entry]}})


class Handler(BaseHTTPRequestHandler):
    """One request."""

    state: State

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        with self.state.lock:
            self.state.asked.append(f"{self.command} {self.path}")
            status, answer = self._decide(parts.path, query, body)
        with suppress(ConnectionError):  # who asked has not waited for it
            self._answer(status, answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names that the base class needs

    def _decide(self, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        state = self.state
        for root, page in state.pages.items():
            if path.startswith(root):
                return page(path.removeprefix(root), parse_qsl(urlsplit(self.path).query))
        if self.command == "GET":
            self._pass_time()
        waiting = state.refuse.get(path)
        if self.command in ("POST", "PATCH", "DELETE") and waiting:
            status, text = waiting.pop(0)
            return status, {"message": text}
        if path == "/version":
            return 200, {"gitVersion": "v1.37.2"}
        if path in ("/api", "/apis") and DISCOVERY in self.headers["Accept"]:
            return 200, {"items": self._groups(core=path == "/api")}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version in state.kinds:
            kinds = state.kinds[version]
            return 200, {
                "resources": [
                    {"kind": kind, "name": name, "namespaced": spaced} for kind, (name, spaced) in kinds.items()
                ]
            }
        if self.command == "GET" and path.rpartition("/")[2] in {
            name for kinds in state.kinds.values() for name, _ in kinds.values()
        }:
            return 200, {"items": [item for item in state.objects.values() if self._selected(item, path, query)]}
        if self.command == "GET":
            return (200, state.objects[path]) if path in state.objects else (404, {"message": f"{path} not found"})
        dry = "dryRun" in query
        if not dry:
            state.log.append(f"{self.command} {path}")
        if self.command == "DELETE":
            status, answer = self._delete(path, dry)
        elif self.command == "POST":
            status, answer = self._create(path, _managed(body, None, query.get("fieldManager", ""), "Update"))
        elif self.headers["Content-Type"] == "application/merge-patch+json":
            status, answer = self._merge(path, body, query.get("fieldManager", ""))
        else:
            status, answer = self._apply(path, body, dry, query.get("fieldManager", ""))
        if not dry and status == 200:
            state.changed(path)
        return status, answer

    def _groups(self, core: bool) -> list[dict[str, Any]]:
        """Aggregated discovery: groups with their versions and kinds. core: of the group without a name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for api_version, kinds in self.state.kinds.items():
            group, _, version = api_version.rpartition("/")
            resources = [
                {
                    "resource": plural,
                    "responseKind": {"group": group, "version": version, "kind": kind},
                    "scope": "Namespaced" if spaced else "Cluster",
                    "verbs": ["get", "list"] if plural in self.state.read_only else VERBS,
                }
                for kind, (plural, spaced) in kinds.items()
            ]
            found.setdefault(group, []).append({"version": version, "resources": resources, "freshness": "Current"})
        for api_version in self.state.stale:
            group, _, version = api_version.rpartition("/")
            found.setdefault(group, []).append({"version": version, "freshness": "Stale"})
        return [
            {"metadata": {"name": group} if group else {}, "versions": versions}
            for group, versions in found.items()
            if core == (not group)
        ]

    def _pass_time(self) -> None:
        """One look at anything brings what is being removed nearer to its end."""
        for path in [path for path, item in self.state.objects.items() if "deletionTimestamp" in item["metadata"]]:
            self.state.stays[path] -= 1
            if self.state.stays[path] < 0:
                del self.state.objects[path]

    def _delete(self, path: str, dry: bool) -> tuple[int, dict[str, Any]]:
        found = self.state.objects.get(path)
        if found is None:
            return 404, {"message": "not found"}
        if not dry and found["kind"] == "Namespace":  # what is in it goes first
            inside = f"/namespaces/{found['metadata']['name']}/"
            for other in [one for one in self.state.objects if inside in one]:
                del self.state.objects[other]
        if not dry and path in self.state.stays:
            found["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
        elif not dry:
            del self.state.objects[path]
        return 200, found

    def _create(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One more of the kind whose path it is."""
        new = f"{path}/{body['metadata']['name']}"
        if new in self.state.objects:
            return 409, {"message": f"{new} already exists"}
        self.state.objects[new] = body
        return 201, body

    def _merge(self, path: str, body: dict[str, Any], manager: str) -> tuple[int, dict[str, Any]]:
        old = self.state.objects.get(path)
        if old is None:
            return 404, {"message": "not found"}
        self.state.objects[path] = _managed(_merged(old, body), old, manager, "Update")
        return 200, self.state.objects[path]

    def _selected(self, item: dict[str, Any], path: str, query: dict[str, str]) -> bool:
        wanted = [part.partition("=") for part in query.get("labelSelector", "").split(",") if part]
        labels = item["metadata"].get("labels") or {}
        parts = path.split("/")
        plural, space = parts[-1], parts[-2] if parts[-3] == "namespaces" else ""
        known = {kind: name for kinds in self.state.kinds.values() for kind, (name, _) in kinds.items()}
        there = not space or item["metadata"].get("namespace") in (space, None)
        chosen = all(labels.get(name) == value for name, _, value in wanted)
        return known.get(item["kind"]) == plural and there and chosen

    def _apply(self, path: str, body: dict[str, Any], dry: bool, manager: str) -> tuple[int, dict[str, Any]]:
        state = self.state
        space = body["metadata"].get("namespace")
        if space and f"/api/v1/namespaces/{space}" not in state.objects:
            return 404, {"message": f'namespaces "{space}" not found'}
        old = state.objects.get(path)
        new = _merged(old or {}, body)
        if new != old:
            new = _merged(new, {"metadata": {"resourceVersion": str(state.version + 1)}})
        new = _managed(new, old, manager, "Apply")
        if body["kind"] == "CustomResourceDefinition":
            status = {"type": "Established", "status": str(state.establishes), "message": "names conflict"}
            new["status"] = {"conditions": [status]}
        if not dry:
            state.version += new != old
            state.objects[path] = new
            if body["kind"] == "CustomResourceDefinition":
                spec = body["spec"]
                version = f"{spec['group']}/{spec['versions'][0]['name']}"
                state.kinds[version] = {spec["names"]["kind"]: (spec["names"]["plural"], False)}
        elif old is not None:
            new = _merged(new, {"metadata": {"resourceVersion": old["metadata"].get("resourceVersion")}})
        return 200, new


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[State, Path]]:
    """A running server's state and a kubeconfig for it."""
    state = State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = False  # closing waits for those that still answer
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "test", "user": {"token": "test"}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        ),
        encoding="utf-8",
    )
    try:
        yield state, kubeconfig
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
