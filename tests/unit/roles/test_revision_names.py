"""What is named after the mesh's revisions follows them, unless the inventory says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Run

NAMES = (
    "twinstack_tenants_revision",
    "__observability_settings['kiali']['istiod']",
    "__observability_settings['prometheus']['watched_services']",
)
OTHERS = {"kube-dns.kube-system": 9153, "prometheus.observability": 9090}


def role_files() -> list[str]:
    """Defaults and fixed variables, as the roles load them."""
    roles = ROOT / "roles"
    return [
        str(roles / role / part / "main.yml")
        for role in ("twinstack", "observability")
        for part in ("defaults", "vars")
    ]


@pytest.mark.parametrize(
    ("revisions", "default", "watched"),
    [
        (None, "stable", ["stable"]),
        ([{"name": "blue", "default": True}], "blue", ["blue"]),
        ([{"name": "old", "default": False}, {"name": "new", "default": True}], "new", ["old", "new"]),
    ],
)
def test_defaults_follow_the_revisions(
    playbook: Callable[..., Run], tmp_path: Path, revisions: Any, default: str, watched: list[str]
) -> None:
    found = tmp_path / "found.json"
    write = {"content": "{{ [" + ", ".join(NAMES) + "] | to_json }}", "dest": str(found), "mode": "0644"}
    play: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play |= {"vars_files": role_files(), "tasks": [{"ansible.builtin.copy": write}]}
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    given = {} if revisions is None else {"istio_revisions": revisions}
    playbook("-i", "localhost,", path, "-e", json.dumps(given)).succeeded()
    services = {f"istiod-{name}.istio-system": 15014 for name in watched} | OTHERS
    assert json.loads(found.read_text()) == [default, f"istiod-{default}", services]
