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
    type: str
    default: ""
  field_manager:
    description: Owner of the applied fields.
    type: str
    default: twinstack
  force:
    description: Take over fields that another manager owns, instead of failing.
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
"""

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, reason

TARGET: dict[str, Any] = {
    "api_version": {"type": "str", "default": "v1"},
    "kind": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": ""},
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
    "field_manager": {"type": "str", "default": "twinstack"},
    "force": {"type": "bool", "default": True},
    "wait": READY,
    "wait_before_workloads": READY,
    "wait_gone": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**TARGET, "names": {"type": "list", "elements": "str", "required": True}},
    },
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
    module.exit_json(changed=bool(keys), applied=time.time(), objects=names, pruned=[], diff=diff)


def _failed(module: AnsibleModule, title: str, lines: list[str], hint: str, changed: bool) -> None:
    text = "\n".join([f"{title}:", *(f"  {line}" for line in lines), f"Try: {hint}"])
    module.fail_json(msg=text, changed=changed)


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
    deadline = time.monotonic() + params["timeout"]
    outcome = kube_apply.apply_all(
        client,
        objects,
        params["apply_set"],
        module.check_mode,
        params["force"],
        deadline,
        _targets(params["wait_before_workloads"]),
    )
    applied = time.time()
    changed = bool(outcome.changed or outcome.pruned)
    if outcome.late:
        title = f"no pods were made, because what they need was not ready within {params['timeout']:.0f} s"
        _failed(module, title, outcome.late, f"{kubectl} get pods -A -o wide", changed)
    if not module.check_mode and not outcome.failures:
        outcome.failures += kube_apply.wait_gone(client, outcome.going, deadline)
    if outcome.failures:
        hint = f"{kubectl} get --raw '/readyz?verbose'"
        _failed(module, "not everything was applied", outcome.failures, hint, changed)
    if not module.check_mode:
        late = kube_apply.wait_all(client, _targets(params["wait"]), deadline)
        if late:
            title = f"applied, but not ready within {params['timeout']:.0f} s"
            _failed(module, title, late, f"{kubectl} get pods -A -o wide", changed)
        going = [key for one in params["wait_gone"] for key in _keys(one, one["names"])]
        left = kube_apply.wait_gone(client, going, deadline)
        if left:
            title = f"not gone within {params['timeout']:.0f} s"
            names = " ".join(dict.fromkeys(f"{key.kind.lower()}/{key.name}" for key in going))
            _failed(module, title, left, f"{kubectl} describe {names}", changed)
    module.exit_json(
        changed=changed,
        applied=applied,
        objects=outcome.changed,
        pruned=outcome.pruned,
        compared=len(objects),
        diff=outcome.diff,
    )


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
