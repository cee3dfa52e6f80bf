"""A server that plays the API, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.kube_server import State, api_server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[State, Path]]:
    """A server and its kubeconfig."""
    with api_server(tmp_path) as pair:
        yield pair
