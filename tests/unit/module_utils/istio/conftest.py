"""A mesh for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.kube_server import api_server

if TYPE_CHECKING:
    from tests.unit.module_utils.istio.release_samples import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two proxies, and service basket in its first version, which is ready; without routes."""
    # Not above: a pytest plugin takes over imports of collections after this file has been read.
    from tests.unit.module_utils.istio.release_samples import World, deployment, proxy_pod

    with api_server(tmp_path) as served:
        found = World(served, monkeypatch)
        found.put(deployment("basket-v1"), proxy_pod("proxy-a"), proxy_pod("proxy-b"))
        yield found
