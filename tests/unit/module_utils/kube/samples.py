"""Objects that the tests of this folder apply, and how."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key
from ansible_collections.twinstack.core.plugins.module_utils.kube.refusals import Allowed

from tests.unit.kube_server import State

SPEC = {"group": "example.org", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]}
SYSTEM = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.org"},
    "spec": SPEC,
}
THING = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"size": 1}}
SPACE_KEY = Key("v1", "Namespace", "", "demo")
SPACE_PATH = "/api/v1/namespaces/demo"
DEFINITION_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.org"


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap in namespace demo."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "demo"}, "data": data}


def namespace(name: str) -> dict[str, Any]:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


ALL = [THING, config_map("a", x="1"), DEFINITION, SPACE]


def client(served: tuple[State, Path], manager: str = "test") -> Client:
    """A client of the server. manager: what the server notes about who writes."""
    return Client(str(served[1]), None, manager)


def apply(
    served: tuple[State, Path],
    objects: list[Any],
    apply_set: str = "",
    dry: bool = False,
    prune: bool = True,
    remove: Iterable[str] = (),
    adopt: Iterable[Key] = (),
) -> kube_apply.Outcome:
    """One apply with ten seconds' time. remove, adopt: as of `refusals.Allowed`."""
    allowed = Allowed(adopt=frozenset(adopt), remove_namespaces=frozenset(remove))
    deadline = time.monotonic() + 10
    return kube_apply.apply_all(client(served), objects, apply_set, dry, True, deadline, allowed=allowed, prune=prune)
