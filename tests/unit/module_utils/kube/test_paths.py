"""Where the API has what."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path, proxy


def test_paths_are_those_of_the_api() -> None:
    assert path("v1") == "/api/v1"
    assert path("apps/v1", "deployments") == "/apis/apps/v1/deployments"
    assert path("v1", "pods", "a b") == "/api/v1/namespaces/a%20b/pods"
    assert path("apps/v1", "deployments", "demo", "x/y") == "/apis/apps/v1/namespaces/demo/deployments/x%2Fy"
    assert path("v1", "namespaces", name="demo") == "/api/v1/namespaces/demo"


@pytest.mark.parametrize("name", ["a/b", "../x", "a?b", "a%2Fb", "a#b"])
def test_a_name_is_one_step_of_a_path_whatever_it_holds(name: str) -> None:
    found = path("v1", "pods", "demo", name)
    assert found.startswith("/api/v1/namespaces/demo/pods/")
    assert len(found.split("/")) == 7 and not {"?", "#"} & set(found)
    assert len(path("v1", "pods", name, "x").split("/")) == 7


def test_pages_of_pods_and_services_begin_at_their_port() -> None:
    root = "/api/v1/namespaces/observability"
    assert proxy("services", "observability", "kiali", 20001) == f"{root}/services/kiali:20001/proxy"
    assert proxy("pods", "observability", "kiali-0", 9090) == f"{root}/pods/kiali-0:9090/proxy"
