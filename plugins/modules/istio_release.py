#!/usr/bin/python
# Apache-2.0
"""Change DestinationRules and VirtualServices of releases in an order that loses no request."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_release
short_description: Change releases of services without losing a request
version_added: 0.1.0
description:
  - Applies DestinationRules and VirtualServices. For a service whose routes are in use and are to change it waits until
    the Deployments of all versions that get requests are ready, applies the subsets of old and new routes together,
    waits until every proxy of the namespace has them with endpoints, applies the routes, waits until no proxy has a
    route to a subset that is to go, and only then removes such subsets.
  - What a proxy has is asked of the proxy itself, in its pod, whichever revision and build of the mesh it is of.
  - A service that has no routes yet has nothing to lose. Its objects are applied at once, nothing is waited for.
  - A version that does not become ready gets no requests. Its service keeps the routes that it has, all others get
    theirs, and RV(held) says why. Whoever calls this module deletes nothing then, and fails in the end. The wait ends
    early where it is in vain, such as for an image that nobody has.
  - With check mode as the task's keyword it tells which services would be concerned, RV(moving).
  - The user of O(kubeconfig) must be allowed to apply the objects and to run commands in pods.
options:
  objects:
    description:
      - DestinationRules and VirtualServices. The ones of a service have its name; each rule of a VirtualService has the
        name of the service that it leads to.
    type: list
    elements: dict
    required: true
  deployments:
    description: Deployments of services' versions. Of a version without one the endpoints in proxies are waited for.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace.
        type: str
        required: true
      service:
        description: Name of the Service.
        type: str
        required: true
      subset:
        description: Name of the version's subset.
        type: str
        required: true
      name:
        description: Name of the Deployment.
        type: str
        required: true
  namespaces:
    description:
      - Namespaces that stay. In any other one, which goes with all that is in it, no proxy is waited for. By default
        all stay.
    type: list
    elements: str
  apply_set:
    description: Name of the apply set that the objects make up, as in M(twinstack.core.apply).
    type: str
    required: true
  timeout:
    description: Longest wait for Deployments, in seconds.
    type: float
    default: 240
  proxies_timeout:
    description: Longest wait for proxies after each change, and longest time for each apply, in seconds.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    details: Dry run on the server. Nothing is waited for.
  diff_mode:
    support: full
    details: Shows every object that differs.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Change releases
  twinstack.core.istio_release:
    kubeconfig: ~/.kube/config
    objects: "{{ routes }}"
    deployments:
      - {namespace: shop, service: basket, subset: v2, name: basket-v2}
    apply_set: canary
  register: released

- name: Require that every release gets its requests
  ansible.builtin.assert:
    that: released.held | length == 0
"""

RETURN = r"""
applied:
  description: When the last object had been applied, in seconds of the epoch.
  returned: success
  type: float
objects:
  description: Names of objects that were created or changed.
  returned: always
  type: list
  elements: str
compared:
  description: How many objects were wanted.
  returned: success
  type: int
pruned:
  description: Names of objects that were removed.
  returned: always
  type: list
  elements: str
moving:
  description: Services, each C(namespace/name), whose routes were in use and differed from the wanted ones.
  returned: success
  type: list
  elements: str
held:
  description:
    - Services that do not have all that was wanted, each with C(namespace), C(service), C(why), and C(deployments), the
      names of its Deployments.
  returned: success
  type: list
  elements: dict
"""

import time
from collections.abc import Collection, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_PROXY
from ansible_collections.twinstack.core.plugins.module_utils.istio import proxies, release, release_rollout
from ansible_collections.twinstack.core.plugins.module_utils.istio.proxies import Proxy
from ansible_collections.twinstack.core.plugins.module_utils.istio.release import Place
from ansible_collections.twinstack.core.plugins.module_utils.kube import apply as kube_apply
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube import objects as kube_objects
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object

ANSWER_SECONDS = 10.0  # of one proxy

SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    "objects": {"type": "list", "elements": "dict", "required": True},
    "deployments": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in ("namespace", "service", "subset", "name")},
    },
    "namespaces": {"type": "list", "elements": "str"},
    "apply_set": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 240},
    "proxies_timeout": {"type": "float", "default": 60},
}


class Mesh:
    """The cluster, as `release_rollout.roll_out` uses it."""

    def __init__(self, client: Client, apply_set: str, timeout: float, proxies_timeout: float) -> None:
        self._client = client
        self._set = apply_set
        self._seconds = timeout, proxies_timeout

    def live(self) -> list[Object]:
        """Releases that are there and are of the apply set."""
        selector = f"{kube_objects.APPLY_SET_LABEL}={self._set}"
        return [
            item
            for kind in (release.SUBSETS, release.ROUTES)
            for item in self._client.list(release.API, kind, selector)
        ]

    def look(self, objects: Sequence[Object]) -> kube_apply.Outcome:
        """What an apply would do. What is for a namespace that comes in the same run counts as new."""
        spaces = {item["metadata"]["name"] for item in self._client.list("v1", "Namespace")}
        known = [item for item in objects if item["metadata"].get("namespace") in spaces]
        outcome = self._apply(known, prune=True, dry_run=True)
        for item in objects:
            if item not in known:
                key = kube_objects.key_of(item)
                outcome.changed.append(str(key))
                outcome.diff.append(kube_objects.difference(key, None, item))
        return outcome

    def apply(self, objects: Sequence[Object], prune: bool) -> kube_apply.Outcome:
        """Apply objects of the apply set."""
        return self._apply(objects, prune, dry_run=False)

    def _apply(self, objects: Sequence[Object], prune: bool, dry_run: bool) -> kube_apply.Outcome:
        deadline = time.monotonic() + self._seconds[1]
        return kube_apply.apply_all(self._client, objects, self._set, dry_run, True, deadline, prune=prune)

    def remove(self, key: Key) -> None:
        """Remove an object."""
        self._client.delete(key, dry_run=False)

    def ready(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Wait for Deployments."""
        return release_rollout.wait_ready(self._client, keys, time.monotonic() + self._seconds[0])

    def taken(self, command: list[str], places: Collection[Place], judge: release_rollout.Judge) -> dict[Place, str]:
        """Wait for every proxy of the places' namespaces."""
        spaces = {space for space, _ in places}

        def listed() -> list[Proxy]:
            return proxies.running(self._client.list("v1", "Pod"), spaces)

        end = time.monotonic() + self._seconds[1]
        return release_rollout.wait_taken(listed, self._ask, command, places, judge, end)

    def _ask(self, proxy: Proxy, command: list[str]) -> str:
        where = proxy.namespace, proxy.pod, ISTIO_PROXY
        return self._client.execute(where, command, "", ANSWER_SECONDS)


def _ended(module: AnsibleModule, result: release_rollout.Result, moving: Collection[Place]) -> None:
    """End the module."""
    changed = bool(result.changed or result.pruned)
    if result.failures:
        hint = f"kubectl --kubeconfig {module.params['kubeconfig']} get --raw '/readyz?verbose'"
        text = "\n".join(["not every release was applied:", *(f"  {line}" for line in result.failures), f"Try: {hint}"])
        module.fail_json(msg=text, changed=changed, objects=result.changed, pruned=result.pruned)
    deployments = [((one["namespace"], one["service"]), one["name"]) for one in module.params["deployments"]]
    named = [
        {
            "namespace": place[0],
            "service": place[1],
            "why": why,
            "deployments": [name for owner, name in deployments if owner == place],
        }
        for place, why in sorted(result.held.items())
    ]
    module.exit_json(
        changed=changed,
        applied=result.applied or time.time(),
        objects=result.changed,
        pruned=result.pruned,
        compared=len(module.params["objects"]),
        diff=result.diff,
        moving=sorted("/".join(place) for place in moving),
        held=named,
    )


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    kube_module.require_libraries(module)
    params, objects = module.params, module.params["objects"]
    result = release_rollout.Result()
    if kube_module.comes_later(module):
        result.changed = [str(kube_objects.key_of(item)) for item in objects]
        _ended(module, result, ())
    client = kube_module.connect(module, "twinstack")
    mesh = Mesh(client, params["apply_set"], params["timeout"], params["proxies_timeout"])
    deployments: dict[Place, dict[str, str]] = {}
    for one in params["deployments"]:
        deployments.setdefault((one["namespace"], one["service"]), {})[one["subset"]] = one["name"]
    with kube_module.answering(module, "releases"):
        try:
            live = mesh.live()
            plan = release.plan(live, objects)
            if module.check_mode:
                result.add(mesh.look(objects))
            elif plan.moving:
                result = release_rollout.roll_out(mesh, plan, live, objects, deployments, params["namespaces"])
            else:
                result.add(mesh.apply(objects, prune=True))
        except API_ERRORS:
            if not module.check_mode:
                raise
            result.changed = [str(kube_objects.key_of(item)) for item in objects]
            module.warn("the API server does not answer; every object counts as new")
            _ended(module, result, ())
    _ended(module, result, plan.moving)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
