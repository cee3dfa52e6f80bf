"""ansible-doc shows every plugin that a person can name."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT, run

KINDS = [kind for kind in ("module", "filter", "test", "lookup", "callback", "inventory") if (
    list((ROOT / "plugins" / ("modules" if kind == "module" else kind)).glob("[a-z]*.py"))
)]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_ansible_doc_shows_all(kind: str) -> None:
    """Documentation with a description, and examples where the kind has them."""
    listed = json.loads(run("ansible-doc", "-t", kind, "-l", "-j", "twinstack.core").succeeded().output)
    assert listed
    shown = json.loads(run("ansible-doc", "-t", kind, "-j", *listed).succeeded().output)
    for name in listed:
        assert shown[name]["doc"]["description"], name
        if kind == "module":
            assert shown[name]["examples"], name
            assert shown[name]["return"], name


def test_every_action_has_a_documented_module() -> None:
    """The module beside an action plugin is what ansible-doc and argument checks read."""
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("[a-z]*.py")}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
    assert actions - modules == set()
