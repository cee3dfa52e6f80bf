"""Every role's argument_specs, defaults and use of variables say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import WORDS

from tests.conftest import ROOT
from tests.tools import variables

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
CONDITIONS = {"when", "that", "changed_when", "failed_when", "until"}
#: Settings of the connection, which Ansible names.
CONNECTION = {"ansible_pipelining", "ansible_ssh_args", "ansible_ssh_retries"}
#: What Ansible or the inventory's shape gives to every task.
GIVEN = {
    "ansible_forks", "ansible_check_mode", "ansible_facts", "ansible_host", "ansible_play_hosts",
    "ansible_play_hosts_all", "groups", "hostvars", "inventory_dir", "inventory_hostname", "ipv4", "ipv6",
    "item", "lookup", "now", "omit", "playbook_dir", "query", "range", "role_path", "undef",
}  # fmt: skip


def load(path: Path) -> Any:
    """A YAML file's content; an empty dictionary when there is no such file."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def options(role: Path) -> dict[str, Any]:
    """The options of all entry points of the role; none when it has no specification."""
    return variables.options(role) if (role / "meta" / "argument_specs.yml").exists() else {}


def scope(role: Path) -> set[str]:
    """Every variable that the role may use: its own and those of the roles that it depends on."""
    names = set(options(role)) | set(load(role / "vars" / "main.yml"))
    for dependency in load(role / "meta" / "main.yml").get("dependencies", []):
        names |= scope(ROOT / "roles" / dependency["role"].rsplit(".", 1)[-1])
    return names


def outputs(role: Path) -> set[str]:
    """Facts and computed variables that the role documents as its outputs for others: ``Sets the fact C(name)``."""
    said = " ".join(text for point in variables.entry_points(role).values() for text in point.get("description", []))
    sentences = re.findall(r"Sets the facts? (C\(.*?)(?:\. |\.?$)", said + " ")
    return {name for sentence in sentences for name in re.findall(rf"C\(({role.name}_\w+)\)", sentence)}


def results(role: Path) -> tuple[set[str], set[str]]:
    """What the role's tasks register, and which facts they set."""
    registered: set[str] = set()
    facts: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            registered.update([value["register"]] if isinstance(value.get("register"), str) else [])
            fact = value.get("ansible.builtin.set_fact")
            facts.update(fact if isinstance(fact, dict) else ())
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                walk(one)

    for path in sorted((role / "tasks").glob("*.yml")):
        walk(load(path))
    return registered, facts


def expressions(value: Any, key: str = "") -> Iterator[str]:
    """All Jinja texts in YAML data; conditions get the braces that Ansible leaves out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from expressions(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner, key)
    elif isinstance(value, str):
        yield "{{ " + value + " }}" if key in CONDITIONS else value


def task_variables(value: Any) -> set[str]:
    """Names that tasks give to their own expressions: ``vars`` and ``loop_var``."""
    names: set[str] = set()
    if isinstance(value, dict):
        names |= set(value["vars"]) if isinstance(value.get("vars"), dict) else set()
        names |= {value["loop_var"]} if "loop_var" in value else set()
        value = list(value.values())
    if isinstance(value, list):
        names.update(*map(task_variables, value))
    return names


def variables_of(text: str) -> set[str]:
    """Variables that a Jinja text takes from outside."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
    tree = environment.parse(text)
    # Only Ansible knows its filters and tests; their names are all that matters here.
    for node in tree.find_all((jinja2.nodes.Filter, jinja2.nodes.Test)):
        known: dict[str, Any] = environment.filters if isinstance(node, jinja2.nodes.Filter) else environment.tests
        known.setdefault(node.name, str)
    return jinja2.meta.find_undeclared_variables(tree)


def used(role: Path) -> dict[str, set[str]]:
    """Variables that the role's files use, by file."""
    texts: dict[str, list[str]] = {}
    given: set[str] = set()
    for folder in ("tasks", "handlers", "defaults", "vars"):
        for path in sorted((role / folder).glob("*.yml")):
            data = load(path)
            texts[str(path.relative_to(role))] = list(expressions(data))
            given |= task_variables(data)
    for path in sorted((role / "templates").rglob("*.j2")):
        texts[str(path.relative_to(role))] = [path.read_text(encoding="utf-8")]
    return {file: set().union(*map(variables_of, listed)) - given for file, listed in texts.items() if listed}


OUTPUTS = {name for role in ROLES for name in outputs(role)}
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


@pytest.mark.parametrize(
    "playbook", sorted((ROOT / "playbooks").rglob("*.yml")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_playbooks_use_nothing_private(playbook: Path) -> None:
    """What passes from step to step is a documented output."""
    names: set[str] = set().union(*map(variables_of, expressions(load(playbook))))
    assert not re.findall(r"\b__[a-z]\w+", playbook.read_text(encoding="utf-8"))
    known = {name for role in ROLES for name in options(role)} | GIVEN | OUTPUTS
    assert not [name for name in names if name not in known and not name.startswith("ansible_")]


@every_role
def test_defaults_equal_the_specification(role: Path) -> None:
    """Key by key and value by value; what is required has no default."""
    specified = options(role)
    required = {name for name, option in specified.items() if option.get("required")}
    documented = {name: option.get("default") for name, option in specified.items() if name not in required}
    found = {name: value for name, value in load(role / "defaults" / "main.yml").items() if name not in CONNECTION}
    assert found == documented
    assert not [name for name in required if "default" in specified[name]]


@every_role
def test_options_are_described_and_named_after_the_role(role: Path) -> None:
    """A variable says whose it is, what it means and what it may be."""
    assert (role / "meta" / "argument_specs.yml").exists()
    specified = options(role)
    assert not [name for name in specified if not name.startswith(f"{role.name}_") and name not in WORDS]
    assert not [name for name, option in specified.items() if not (option.get("description") and option.get("type"))]
    hidden = [name for name in load(role / "vars" / "main.yml") if name not in outputs(role)]
    assert not [name for name in hidden if not name.startswith(f"__{role.name}_")]


@every_role
def test_used_variables_are_declared(role: Path) -> None:
    """A role uses its own variables, those of its dependencies, and documented outputs of others; nothing private."""
    known = scope(role) | GIVEN | OUTPUTS
    unknown = {
        file: sorted(name for name in names if name not in known and not name.startswith(f"__{role.name}_"))
        for file, names in used(role).items()
    }
    assert not {file: names for file, names in unknown.items() if names}


@every_role
def test_private_names_are_of_the_role_itself(role: Path) -> None:
    """In whatever way they are read: as a variable, by hostvars, or as an attribute."""
    owners = sorted((one.name for one in ROLES), key=len, reverse=True)
    files = [path for kind in ("*.yml", "*.j2") for path in role.rglob(kind)]
    names = {name for path in files for name in re.findall(r"\b__([a-z]\w+)", path.read_text(encoding="utf-8"))}
    owned = {name: next((owner for owner in owners if f"{name}_".startswith(f"{owner}_")), "") for name in names}
    assert not {name: owner for name, owner in owned.items() if owner != role.name}


@every_role
def test_what_a_role_sets_is_private_or_a_documented_output(role: Path) -> None:
    """Registers are the role's own; a fact without two underscores is in the argument specification."""
    registered, facts = results(role)
    assert not [name for name in registered if not name.startswith(f"__{role.name}_")]
    public = {name for name in facts if not name.startswith(f"__{role.name}_")}
    computed = {name for name in load(role / "vars" / "main.yml") if not name.startswith("__")}
    assert public | computed == outputs(role)


@every_role
def test_entry_points_are_task_files(role: Path) -> None:
    """Each file of tasks that a playbook may name has its argument specification, and each specification its file."""
    files = {path.stem for path in (role / "tasks").glob("*.yml")}
    points = set(variables.entry_points(role))
    assert points == files or (role.name == "twinstack" and not files)


@every_role
def test_truth_values_from_the_command_line_are_truth_values(role: Path) -> None:
    """``-e name=false`` is a text, which is true where it decides something; arguments of modules are converted."""
    names = [name for name, option in options(role).items() if option["type"] == "bool"]
    files = [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    wrong = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in files
        for text in expressions(load(path))
        for name in names
        if re.search(rf"\b{name}\b(?!\s*\|\s*bool|=)", text) and text.strip("{} ") != name
    ]
    assert wrong == []
    deciding = [f"when: {name}" for name in names]
    assert [path for path in files if any(line.strip() in deciding for line in path.read_text().splitlines())] == []
