"""What scenarios bring into a cluster and take away again, against a server that plays the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.fixtures import Fixtures
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import ScenarioError, Settings

from tests.unit.kube_server import State, api_server
from tests.unit.module_utils.scenarios.samples import TENANTS

SPACE = f"/api/v1/namespaces/{scenario_objects.NAMESPACE}"
ISTIO = "networking.istio.io/v1"


@pytest.fixture
def brought(tmp_path: Path) -> Iterator[tuple[State, Fixtures]]:
    """A cluster with a mesh, and the scenarios' fixtures, which are not in it yet."""
    with api_server(tmp_path) as (state, config):
        state.kinds["v1"]["Service"] = ("services", True)
        state.kinds[ISTIO] = {"VirtualService": ("virtualservices", True)}
        for tenant in TENANTS:
            path = f"/api/v1/namespaces/{tenant}"
            state.objects[path] = {"kind": "Namespace", "metadata": {"name": tenant}}
        settings = Settings(TENANTS, [], "demo:1", "fortio:1", (), {}, 0, 5)
        yield state, Fixtures(settings, Client(str(config), None, "test"))


def test_it_comes_is_waited_for_and_goes_pods_and_all(brought: tuple[State, Fixtures]) -> None:
    state, fixtures = brought
    fixtures.create()
    pods = [path for path in state.objects if path.startswith(f"{SPACE}/pods/")]
    assert len(pods) == 2 and f"{SPACE}/services/dual" in state.objects
    with pytest.raises(ScenarioError, match="no condition Ready"):
        fixtures.wait()
    for path in pods:
        state.objects[path]["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    fixtures.wait()
    state.log.clear()
    fixtures.start_removal()
    assert state.log[0] == f"DELETE {SPACE}", "its controller pauses before it looks"
    assert sorted(state.log[1:]) == [f"DELETE {path}" for path in sorted(pods)]


def test_what_a_run_that_was_cut_off_left_goes_too(brought: tuple[State, Fixtures]) -> None:
    state, fixtures = brought
    before = dict(state.objects)
    fixtures.create()
    tenant = next(iter(TENANTS))
    fixtures.break_route(tenant)
    route = f"/apis/{ISTIO}/namespaces/{tenant}/virtualservices/{scenario_objects.BROKEN_ROUTE}"
    assert route in state.objects
    state.stays[SPACE] = 1
    fixtures.clean()
    assert state.objects.keys() == before.keys()


def test_what_holds_the_namespace_is_told(brought: tuple[State, Fixtures], monkeypatch: pytest.MonkeyPatch) -> None:
    state, fixtures = brought
    fixtures.create()
    state.stays[SPACE] = 10000
    condition = {"type": "NamespaceContentRemaining", "status": "True", "message": "pods are left"}
    state.objects[SPACE]["status"] = {"conditions": [condition]}
    monkeypatch.setattr(f"{Fixtures.__module__}.REMOVAL_SECONDS", 0)
    with pytest.raises(ScenarioError, match="NamespaceContentRemaining: found pods are left"):
        fixtures.clean()
