"""ansible-doc shows every plugin that a person can name."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, run

KINDS = [kind for kind in ("module", "filter", "test", "lookup", "callback", "inventory") if (
    list((ROOT / "plugins" / ("modules" if kind == "module" else kind)).glob("[a-z]*.py"))
)]  # fmt: skip

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
KUBECONFIG, ATTRIBUTES = "twinstack.core.kubeconfig", "twinstack.core.attributes"
#: Whose kubeconfig is a file to write or to name, and no way to an API.
NO_API = {"api_tunnel", "report"}
#: What an attribute may be; partial says in its details what is left out.
SUPPORT = {"full", "partial", "none"}


def own_documentation(module: str) -> dict[str, Any]:
    """What a module's file itself says, without its fragments."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    (text,) = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION"
        if isinstance(node.value, ast.Constant)
    ]
    found: dict[str, Any] = yaml.safe_load(str(text))
    return found


@cache
def documentation() -> dict[str, Any]:
    """What ansible-doc says about every module, with its fragments."""
    names = [f"twinstack.core.{module}" for module in MODULES]
    shown = json.loads(run("ansible-doc", "-t", "module", "-j", *names).succeeded().output)
    return {module: shown[f"twinstack.core.{module}"]["doc"] for module in MODULES}


def source(module: str) -> str:
    """The code of a module and of its action."""
    paths = [ROOT / "plugins" / kind / f"{module}.py" for kind in ("modules", "action")]
    return "".join(path.read_text(encoding="utf-8") for path in paths if path.exists())


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


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_since_when_and_how_far_it_goes(module: str) -> None:
    """Check mode, or what is skipped in it and why; differences exactly where the code gives some."""
    doc, code = documentation()[module], source(module)
    assert re.fullmatch(r"\d+\.\d+\.\d+", doc["version_added"])
    attributes = doc["attributes"]
    check = attributes["check_mode"]
    assert check["support"] in SUPPORT and check["description"]
    assert check["support"] == "full" or check["details"], "what is left out"
    supported = bool(re.search(r"supports?_check_mode ?= ?True|\(InProcessAction\)", code))
    assert supported is (check["support"] != "none"), "else Ansible would skip it"
    gives = bool(re.search(r"\bdiff=|\[\"diff\"\] =", code))
    assert ("diff_mode" in attributes) is gives
    assert not gives or (attributes["diff_mode"]["support"] == "full" and attributes["diff_mode"]["description"])


def test_modules_with_a_kubeconfig_share_its_description_and_defaults() -> None:
    """The option comes from one fragment, and all are in the group to which a play can give it once."""
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    having = [name for name in MODULES if "kubeconfig" in documentation()[name]["options"] and name not in NO_API]
    assert groups["kubernetes"] == having
    (fragment,) = [
        yaml.safe_load(str(node.value.value))
        for node in ast.walk(ast.parse((ROOT / "plugins/doc_fragments/kubeconfig.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION"
        if isinstance(node.value, ast.Constant)
    ]
    for name in having:
        own = own_documentation(name)
        assert KUBECONFIG in own["extends_documentation_fragment"], name
        assert not {"kubeconfig", "context"} & set(own.get("options") or {}), name
        assert "O(kubeconfig)" in str(own["description"]), f"{name}: what its user must be allowed to"
        shown = documentation()[name]["options"]["kubeconfig"]
        assert fragment["options"]["kubeconfig"].items() <= {**shown, "description": shown["description"]}.items()
        assert "kube_module.KUBECONFIG" in source(name), f"{name}: and so does the argument"


def test_every_fragment_is_in_use() -> None:
    """A fragment without users describes nothing, and what all have in common is described once."""
    used = {name: own_documentation(name).get("extends_documentation_fragment", []) for name in MODULES}
    there = {f"twinstack.core.{path.stem}" for path in (ROOT / "plugins" / "doc_fragments").glob("[a-z]*.py")}
    assert {".".join(one.split(".")[:3]) for fragments in used.values() for one in fragments} == there
    assert [name for name, fragments in used.items() if ATTRIBUTES not in fragments] == []
    assert [name for name, fragments in used.items() if "twinstack.core.wait" in fragments] == ["apply"]
