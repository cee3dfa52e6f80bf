#!/usr/bin/python
# Apache-2.0
"""Bring Kubernetes objects to a wanted state in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Apply many Kubernetes objects, prune and wait
version_added: 0.1.0
description:
  - Applies all objects server-side, namespaces and custom resource definitions first, several requests at a time.
    Custom resources wait until their definition is established.
  - Refuses, before anything is applied and all at once, to take over what others made, to delete a namespace that holds
    what others made, and Services whose node port is taken.
  - Runs on the controller and needs nothing but a kubeconfig.
  - Check mode is the API server's dry run. Where there is no API server yet every object counts as new, which a warning
    says.
  - The user of O(kubeconfig) must be allowed to apply the objects.
options:
  objects:
    description: The objects.
    type: list
    elements: dict
    default: []
  files:
    description: Files with more objects, a JSON list in each. Many large ones take long as an argument.
    type: list
    elements: path
    default: []
  tls_secrets:
    description:
      - Secrets of type C(kubernetes.io/tls) beside O(objects). Their content is read where the module runs, so that no
        key is in any argument. One whose files are not there yet counts as absent in check mode.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace.
        type: str
        required: true
      name:
        description: Name.
        type: str
        required: true
      certificate:
        description: Path of the PEM certificate.
        type: path
        required: true
      private_key:
        description: Path of its PEM key.
        type: path
        required: true
  apply_set:
    description:
      - Name of the apply set (prune set) that the objects make up. They get it as label C(twinstack.core/part), and
        objects with this label that are not in O(objects) and O(files) any more are removed, whatever their kind.
        Without both all of them are. Empty removes nothing.
      - The kinds of an apply set are remembered in the ConfigMap C(twinstack-part-NAME) of namespace C(kube-system).
      - What has the label and was never applied by O(field_manager) is somebody's copy, and stays.
    type: str
    default: ""
  prune:
    description:
      - Remove what the apply set does not hold any more. With V(false) it stays for a later task, but for a Service
        whose node port another one needs. What pruning would refuse is refused in both cases.
    type: bool
    default: true
  remove_namespaces:
    description:
      - Namespaces that may be deleted with everything in them when the apply set does not hold them any more.
      - Another one of the set is deleted only when all in it was made by this project, by Kubernetes or by istiod, it
        holds no C(PersistentVolumeClaim), and the set brings no new namespace at the same time, which would be
        a renaming. Else nothing is applied.
    type: list
    elements: str
    default: []
  remove_namespaces_variable:
    description: The variable that O(remove_namespaces) comes from, as messages name it.
    type: str
    default: remove_namespaces
  adopt:
    description:
      - Objects that may be taken over although others made them. Without it, one that is there already and has neither
        an apply set's label nor was applied by O(field_manager) is a conflict.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Group and version.
        type: str
        default: v1
      kind:
        description: Kind.
        type: str
        required: true
      namespace:
        description: Namespace; empty for cluster-wide objects.
        type: str
        default: ""
      names:
        description: Names.
        type: list
        elements: str
        required: true
  field_manager:
    description:
      - Owner of the applied fields. Give your own objects another one, or they count as this project's when a namespace
        is deleted.
    type: str
    default: twinstack
  force:
    description: Take over fields of the set's own objects that another manager owns, instead of failing.
    type: bool
    default: true
  timeout:
    description: Longest time for everything in seconds.
    type: float
    default: 300
attributes:
  check_mode:
    support: full
    details: Dry run on the server.
  diff_mode:
    support: full
    details: Shows every object that differs, without the values of Secrets.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
  - twinstack.core.kubeconfig
  - twinstack.core.kubeconfig.context
  - twinstack.core.wait
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Apply what a file holds and wait for it
  twinstack.core.apply:
    kubeconfig: ~/.kube/config
    objects: "{{ lookup('ansible.builtin.file', 'objects.yaml') | from_yaml_all }}"
    apply_set: example
    wait:
      - {api_version: apps/v1, kind: Deployment, namespace: example, names: [web]}
"""

RETURN = r"""
applied:
  description: When the last object had been applied, in seconds of the epoch; before anything was waited for.
  returned: success
  type: float
objects:
  description: Names of objects that were created or changed.
  returned: always
  type: list
  elements: str
  sample: [Service kube-system/kube-dns]
compared:
  description: How many objects were wanted.
  returned: success
  type: int
pruned:
  description: Names of objects that were removed.
  returned: always
  type: list
  elements: str
namespaces:
  description:
    - Namespaces that the apply set does not hold any more, by name, with how many objects of each kind are in them
      and which of those others made or are volume claims. What Kubernetes and istiod make by themselves is left out.
  returned: when a cluster answers and the objects could be compared with it
  type: dict
  sample: {bar: {objects: {ConfigMap: 1, Deployment: 2, Pod: 4}, others: [ConfigMap mine]}}
findings:
  description: Why nothing was applied, as C(where), C(field), C(found), C(expected), C(hint) and C(level).
  returned: failure
  type: list
  elements: dict
"""

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, reason
from ansible_collections.twinstack.core.plugins.module_utils.kube.refusals import Allowed
from ansible_collections.twinstack.core.plugins.module_utils.kube.removal import wait_gone

TARGET: dict[str, Any] = {
    "api_version": {"type": "str", "default": "v1"},
    "kind": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": ""},
}
NAMED: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {**TARGET, "names": {"type": "list", "elements": "str", "required": True}},
}
READY: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        **TARGET,
        "names": {"type": "list", "elements": "str", "default": []},
        "condition": {"type": "str", "default": ""},
    },
}
SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    **kube_module.CONTEXT,
    "objects": {"type": "list", "elements": "dict", "default": []},
    "files": {"type": "list", "elements": "path", "default": []},
    "tls_secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # Paths, not secrets, whatever their names look like.
        "no_log": False,
        "options": {
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "certificate": {"type": "path", "required": True},
            "private_key": {"type": "path", "required": True, "no_log": False},
        },
    },
    "apply_set": {"type": "str", "default": ""},
    "prune": {"type": "bool", "default": True},
    "remove_namespaces": {"type": "list", "elements": "str", "default": []},
    "remove_namespaces_variable": {"type": "str", "default": "remove_namespaces"},
    "adopt": NAMED,
    "field_manager": {"type": "str", "default": "twinstack"},
    "force": {"type": "bool", "default": True},
    "wait": READY,
    "wait_before_workloads": READY,
    "lost_nodes": {"type": "list", "elements": "str", "default": []},
    "wait_gone": NAMED,
    "timeout": {"type": "float", "default": 300},
}


def _secrets(module: AnsibleModule) -> list[kube_objects.Object]:
    """The Secrets whose content is in files."""
    found = []
    for one in module.params["tls_secrets"]:
        try:
            texts = [Path(one[key]).read_text(encoding="utf-8") for key in ("certificate", "private_key")]
        except (OSError, UnicodeDecodeError) as error:
            if module.check_mode and isinstance(error, FileNotFoundError):
                continue
            where = f"tls_secrets: {one['namespace']}/{one['name']}"
            module.fail_json(msg=f"{where}: found {error}; expected a readable certificate and key in PEM form")
        found.append(kube_objects.tls_secret(one["namespace"], one["name"], *texts))
    return found


def _everything_new(module: AnsibleModule, objects: list[kube_objects.Object], why: str) -> None:
    """End a dry run without a cluster."""
    keys = [kube_objects.key_of(item) for item in objects]
    module.warn(f"{why}; every object counts as new")
    diff = [kube_objects.difference(key, None, item) for key, item in zip(keys, objects, strict=True)]
    names = [str(key) for key in keys]
    module.exit_json(changed=bool(keys), applied=time.time(), objects=names, pruned=[], namespaces={}, diff=diff)


def _failed(module: AnsibleModule, title: str, lines: list[str], hint: str, changed: bool, **result: Any) -> None:
    """End with lines of text. hint: for all of them; empty where each has its own."""
    text = "\n".join([f"{title}:", *(f"  {line}" for line in lines), *([f"Try: {hint}"] if hint else [])])
    module.fail_json(msg=text, changed=changed, **result)


def _kept(module: AnsibleModule) -> list[Any]:
    """The objects of all files, one JSON list each."""
    found: list[Any] = []
    for path in module.params["files"]:
        try:
            items = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            module.fail_json(msg=f"{path}: files: found {error}; expected a file with a list of objects as JSON")
        if not isinstance(items, list):
            module.fail_json(msg=f"{path}: files: found {type(items).__name__}; expected a list of objects as JSON")
        found += items
    return found


def _keys(target: dict[str, Any], names: list[str]) -> list[kube_objects.Key]:
    """Where the objects of a target are."""
    return [kube_objects.Key(target["api_version"], target["kind"], target["namespace"], name) for name in names]


def _targets(waited_for: list[dict[str, Any]]) -> list[tuple[kube_objects.Key, str]]:
    """What is waited for, with its condition."""
    return [(key, one["condition"]) for one in waited_for for key in _keys(one, one["names"] or [""])]


def _require_gone(
    module: AnsibleModule, client: Client, keys: list[kube_objects.Key], deadline: float, changed: bool
) -> None:
    """Wait until these are gone; end the module with what holds them when they do not go."""
    left = wait_gone(client, keys, deadline)
    if not left:
        return
    early = time.monotonic() < deadline
    title = "not gone, nor by waiting" if early else f"not gone within {module.params['timeout']:.0f} s"
    names = " ".join(dict.fromkeys(f"{key.kind.lower()}/{key.name}" for key in keys))
    hint = "" if all(". Try: " in line for line in left) else f"describe {names}"
    _failed(module, title, left, hint and f"kubectl --kubeconfig {module.params['kubeconfig']} {hint}", changed)


def _allowed(params: dict[str, Any]) -> Allowed:
    """What the user named of others' objects."""
    return Allowed(
        adopt=frozenset(key for one in params["adopt"] for key in _keys(one, one["names"])),
        remove_namespaces=frozenset(params["remove_namespaces"]),
        variable=params["remove_namespaces_variable"],
    )


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    kube_module.require_libraries(module)
    params = module.params
    kubeconfig = params["kubeconfig"]
    kubectl = f"kubectl --kubeconfig {kubeconfig}"
    given = [*params["objects"], *_kept(module)]
    wrong = kube_objects.problems(given)
    if wrong:
        _failed(module, "the objects are not usable", wrong, "the playbook or file that names them", False)
    objects = [*given, *_secrets(module)]
    if kube_module.comes_later(module):
        _everything_new(module, objects, f"there is no kubeconfig {kubeconfig} yet")
    client = kube_module.connect(module, params["field_manager"])
    if module.check_mode:
        try:
            client.version()
        except API_ERRORS as error:
            _everything_new(module, objects, f"the API server does not answer ({reason(error)})")
    started, lost = time.monotonic(), params["lost_nodes"]
    deadline = started + params["timeout"]
    outcome = kube_apply.apply_all(
        client,
        objects,
        params["apply_set"],
        module.check_mode,
        params["force"],
        deadline,
        _targets(params["wait_before_workloads"]),
        _allowed(params),
        params["prune"],
        lost,
    )
    applied = time.time()
    changed = bool(outcome.changed or outcome.pruned)
    if outcome.refused:
        told = {"findings": [finding.as_dict() for finding in outcome.findings], "namespaces": outcome.namespaces}
        _failed(module, "nothing was applied", outcome.failures, "", False, **told)
    if outcome.late:
        title = f"no pods were made, because what they need was not ready after {time.monotonic() - started:.0f} s"
        _failed(module, title, outcome.late, f"{kubectl} get pods -A -o wide", changed)
    if outcome.failures:
        hint = f"{kubectl} get --raw '/readyz?verbose'"
        _failed(module, "not everything was applied", outcome.failures, hint, changed)
    if not module.check_mode:
        _require_gone(module, client, outcome.going, deadline, changed)
        late = kube_apply.wait_all(client, _targets(params["wait"]), deadline, lost=lost)
        if late:
            title = f"applied, but not ready after {time.monotonic() - started:.0f} s"
            _failed(module, title, late, f"{kubectl} get pods -A -o wide", changed)
        going = [key for one in params["wait_gone"] for key in _keys(one, one["names"])]
        _require_gone(module, client, going, deadline, changed)
    if outcome.spared:
        label = f"{kube_objects.APPLY_SET_LABEL}={params['apply_set']}"
        module.warn(f"{label}: found it on what others made, which stays: {', '.join(outcome.spared)}")
    module.exit_json(
        changed=changed,
        applied=applied,
        objects=outcome.changed,
        pruned=outcome.pruned,
        compared=len(objects),
        namespaces=outcome.namespaces,
        diff=outcome.diff,
    )


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
