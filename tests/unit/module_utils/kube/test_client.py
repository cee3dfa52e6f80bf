"""kube.client against a server on the loopback."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client, Query
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import (
    CONNECTION_ERRORS,
    KubeconfigError,
    RefusedError,
    UnknownKindError,
)
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path as path_of

from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.kube.samples import SPACE, apply, client, config_map


def test_a_merge_changes_what_it_names_and_records_who_did_it(served: tuple[State, Path]) -> None:
    apply(served, [SPACE, config_map("a", x="1", y="1")])
    sent = len(served[0].asked)
    key = Key("v1", "ConfigMap", "demo", "a")
    merged = client(served).merge(key, {"data": {"x": "2"}}, "somebody")
    assert merged["data"] == served[0].objects["/api/v1/namespaces/demo/configmaps/a"]["data"] == {"x": "2", "y": "1"}
    path = "/api/v1/namespaces/demo/configmaps/a"
    assert served[0].asked[sent:] == [
        "GET /api/v1",
        f"PATCH {path}?fieldManager=somebody&fieldValidation=Strict",
    ]
    with pytest.raises(RefusedError) as refused:
        client(served).merge(Key("v1", "ConfigMap", "demo", "b"), {"data": {}}, "somebody")
    assert refused.value.status == 404
    with pytest.raises(UnknownKindError):
        client(served).merge(Key("example.org/v1", "Thing", "", "one"), {}, "somebody")


@pytest.mark.parametrize(
    "query",
    [
        [("H", "Host:foo"), ("url", "http://[fd00::11]:1/a?b=c&d=e"), ("H", "X-One:1 + 1")],
        (("n", "1"), ("n", "1")),
        {"labelSelector": "a=b,c!=d"},
        [],
        None,
    ],
)
def test_a_querys_key_may_be_there_more_than_once(served: tuple[State, Path], query: Query) -> None:
    seen: list[list[tuple[str, str]]] = []

    def page(path: str, given: list[tuple[str, str]]) -> tuple[int, str]:
        seen.append(given)
        return 200, path

    served[0].pages["/somewhere"] = page
    assert client(served).text("/somewhere/else", query) == '"/else"'
    assert seen == [list(query.items()) if isinstance(query, dict) else list(query or ())]


def test_a_creation_says_who_did_it_and_is_no_second_one(served: tuple[State, Path]) -> None:
    state, path = served[0], path_of("v1", "configmaps", "demo")
    client(served).create(path, config_map("a", x="1"))
    assert state.asked == [f"POST {path}?fieldManager=test"], "without a look at what kinds there are"
    assert state.objects[f"{path}/a"]["data"] == {"x": "1"}
    with pytest.raises(RefusedError, match="already exists") as refused:
        client(served).create(path, config_map("a"))
    assert refused.value.status == 409


def test_objects_at_a_path_are_read_once(served: tuple[State, Path]) -> None:
    state, path = served[0], path_of("v1", "namespaces")
    for name, labels in (("demo", {"a": "b"}), ("other", {})):
        state.objects[f"{path}/{name}"] = {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    assert [item["metadata"]["name"] for item in client(served).items(path, "a=b")] == ["demo"]
    assert len(client(served).items(path)) == 2
    assert state.asked == [f"GET {path}?labelSelector=a%3Db", f"GET {path}"]


def test_a_page_is_its_makers_whatever_its_status(served: tuple[State, Path]) -> None:
    root, seen = "/api/v1/namespaces/demo/services/web:80/proxy", []

    def page(path: str, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        seen.append((path, query))
        return 404, b"no such trace"

    served[0].pages[root] = page
    assert client(served).page("services", "demo", "web", 80, "/a?b=c%20d&e=f") == b"no such trace"
    assert seen == [("/a", [("b", "c d"), ("e", "f")])]
    with pytest.raises(RefusedError, match="no such trace"):
        client(served).text(f"{root}/a")


def test_what_a_pod_logged_and_the_clusters_version_are_read(served: tuple[State, Path]) -> None:
    served[0].pages["/api/v1/namespaces/demo/pods/one/log"] = lambda path, query: (200, b"a line\n")
    assert client(served).logs("demo", "one") == "a line\n"
    assert client(served).version() == "v1.37.2"


@pytest.mark.parametrize(("retries", "tries"), [(False, 1), (True, 4)])
def test_a_connection_that_breaks_is_tried_again_on_request(tmp_path: Path, retries: bool, tries: int) -> None:
    """Without, an apply that has patience of its own sees every error; with, a read outlives a tunnel's hiccup."""
    with api_server(tmp_path) as (state, config), socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        text = config.read_text(encoding="utf-8")
        port = server.getsockname()[1]
        config.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", text), encoding="utf-8")
        broken: list[int] = []

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.close()
                    broken.append(1)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(CONNECTION_ERRORS):
            Client(str(config), None, "test", retries).version()
        server.close()
        thread.join(10)
    assert (len(broken), state.asked) == (tries, [])


def test_a_kubeconfig_that_is_none_is_reported(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("{}", encoding="utf-8")
    with pytest.raises(KubeconfigError, match="Invalid kube-config"):
        Client(str(tmp_path / "kubeconfig"), None, "test")
