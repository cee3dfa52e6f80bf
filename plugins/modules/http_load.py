#!/usr/bin/python
"""Requests to several URLs at once while something else happens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_load
short_description: Send requests from inside the cluster while something else happens
version_added: 0.1.0
description:
  - With O(state=running), creates a namespace with a fortio pod outside the mesh, sends every URL a few requests and,
    when all answers are as expected, goes on sending requests to all of them until the module is called again.
  - With O(state=finished), ends that, removes the namespace and returns what came of every URL.
  - A namespace that an earlier run left behind is removed first.
  - The user of O(kubeconfig) must be allowed to create namespaces and pods.
options:
  state:
    description: What to do.
    type: str
    choices: [running, finished]
    required: true
  namespace:
    description: The namespace.
    type: str
    default: twinstack-load
  image:
    description: Image of fortio, for O(state=running).
    type: str
  targets:
    description: URLs to send requests to, for O(state=running).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the results.
        type: str
        required: true
      url:
        description: URL; an address as its host chooses the family.
        type: str
        required: true
      headers:
        description: More headers, each C(Name:value).
        type: list
        elements: str
        default: []
      qps:
        description: Requests a second.
        type: float
        default: 20
      connections:
        description: Number of simultaneous connections.
        type: int
        default: 2
  codes:
    description: HTTP statuses that count as success.
    type: list
    elements: int
    default: [200]
  timeout:
    description: Longest wait for the pod, in seconds.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    details: Nothing is sent.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Start sending requests over both families
  twinstack.core.http_load:
    kubeconfig: ~/.kube/config
    state: running
    image: docker.io/fortio/fortio:1.66.5
    targets:
      - {name: IPv4, url: "http://192.168.1.11:30080/"}
      - {name: IPv6, url: "http://[fd00::11]:30080/"}

- name: End it
  twinstack.core.http_load:
    kubeconfig: ~/.kube/config
    state: finished
  register: load
"""

RETURN = r"""
outcome:
  description:
    - By target's name, C(requests), C(codes), C(seconds), C(qps), C(p50_ms), C(p99_ms), C(max_ms) and C(failed).
  returned: when O(state=finished)
  type: dict
complaints:
  description: What fortio said about failed requests, the last ones.
  returned: when O(state=finished)
  type: list
  elements: str
failed_requests:
  description: Requests of all targets without an expected answer.
  returned: when O(state=finished)
  type: int
"""

import json
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.apply import wait_all
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, RefusedError, reason
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, key_of
from ansible_collections.twinstack.core.plugins.module_utils.kube.removal import remove_namespace
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio

TRIES = 5
POLL_SECONDS = 0.5
REMOVAL_SECONDS = 60


class LoadError(Exception):
    """What went wrong, as one text. hint: what to try; a look at the pod where there is none."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def get(client: Client, path: str, query: list[tuple[str, str]] | None = None) -> Any:
    """A page of fortio's REST API."""
    return json.loads(client.text(path, query))


def start(client: Client, params: dict[str, Any]) -> None:
    """Pod, first requests, then all of them without end."""
    space = params["namespace"]
    remove(client, space)
    for item in fortio.objects(space, params["image"]):
        client.apply(item, key_of(item), dry_run=False, force=True)
    pod = Key("v1", "Pod", space, fortio.POD)
    late = wait_all(client, [(pod, "Ready")], time.monotonic() + params["timeout"])
    if late:
        raise LoadError("; ".join(late))
    targets = [fortio.Target(**{**one, "headers": tuple(one["headers"])}) for one in params["targets"]]
    root, wrong = fortio.proxy(space), []
    for target in targets:
        result = fortio.parse_result(get(client, f"{root}{fortio.REST}/run", fortio.run_query(target, TRIES)))
        if result.failed(tuple(params["codes"])):
            wrong.append(f"{target.name}: {target.url}: found answers {dict(result.codes)}")
    if wrong:
        wanted = " or ".join(str(code) for code in params["codes"])
        message = f"nothing was begun: expected HTTP {wanted}: {'; '.join(wrong)}{given_up(client, space)}"
        hint = (
            "a path that every gateway answers: istio_upgrade_path. Until then new pods are of the revision named now"
        )
        raise LoadError(message, hint)
    for target in targets:
        get(client, f"{root}{fortio.REST}/run", fortio.run_query(target))


def finish(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """Results by target's name."""
    root = fortio.proxy(params["namespace"])
    runs = get(client, f"{root}{fortio.REST}/status")["Statuses"] or {}
    found: dict[str, Any] = {}
    for number, status in runs.items():
        stopped = get(client, f"{root}{fortio.REST}/stop", [("runid", number), ("wait", "on")])
        result = _saved(client, f"{root}/fortio/data/{stopped['ResultID']}.json")
        found[status["RunnerOptions"]["Labels"]] = result.as_dict() | {"failed": result.failed(tuple(params["codes"]))}
    if not found:
        raise LoadError(f"{params['namespace']}/{fortio.POD}: found no run to end, expected those that were started")
    return found


def _saved(client: Client, path: str) -> fortio.Result:
    """A result's file, which is written some moments after the run has ended."""
    end = time.monotonic() + REMOVAL_SECONDS
    while True:
        try:
            return fortio.parse_result(get(client, path))
        except (RefusedError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(POLL_SECONDS)


def remove(client: Client, namespace: str) -> None:
    """The namespace with all that is in it, waited for."""
    left = remove_namespace(client, namespace, REMOVAL_SECONDS)
    if left:
        raise LoadError("; ".join(left))


def given_up(client: Client, namespace: str) -> str:
    """Remove the load generator, because nothing else would end it; a word about it when that fails too."""
    try:
        remove(client, namespace)
    except (LoadError, *API_ERRORS) as error:
        return f"; and the load generator remains in namespace {namespace}: {reason(error)}"
    return ""


def main() -> None:
    """Entry point."""
    target = {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "headers": {"type": "list", "elements": "str", "default": []},
        "qps": {"type": "float", "default": 20},
        "connections": {"type": "int", "default": 2},
    }
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "state": {"type": "str", "choices": ["running", "finished"], "required": True},
            "namespace": {"type": "str", "default": "twinstack-load"},
            "image": {"type": "str"},
            "targets": {"type": "list", "elements": "dict", "options": target},
            "codes": {"type": "list", "elements": "int", "default": [200]},
            "timeout": {"type": "float", "default": 60},
        },
        required_if=[("state", "running", ["image", "targets"])],
        supports_check_mode=True,
    )
    kube_module.require_libraries(module)
    if module.check_mode:
        module.exit_json(changed=False, outcome={}, failed_requests=0, complaints=[])
    params = module.params
    left = ""
    client = kube_module.connect(module, "twinstack-load")
    try:
        if params["state"] == "running":
            start(client, params)
            module.exit_json(changed=False)
        results = finish(client, params)
        failed = sum(one["failed"] for one in results.values())
        complaints = fortio.complaints(client.logs(params["namespace"], fortio.POD)) if failed else []
        remove(client, params["namespace"])
    except (LoadError, ValueError, *API_ERRORS) as error:
        if not isinstance(error, LoadError):  # requests may have begun, and would have no end
            left = given_up(client, params["namespace"])
        look = f"kubectl --kubeconfig {params['kubeconfig']} -n {params['namespace']} get pods,events"
        module.fail_json(msg=f"load: {reason(error)}{left}. Try: {getattr(error, 'hint', '') or look}")
    module.exit_json(changed=False, outcome=results, failed_requests=failed, complaints=complaints)


if __name__ == "__main__":
    main()
