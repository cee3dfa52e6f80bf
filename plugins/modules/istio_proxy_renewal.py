#!/usr/bin/python
# Apache-2.0
"""Workloads get proxies of the build that their control plane injects now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_proxy_renewal
short_description: Renew proxies after a control plane's build changed in place
version_added: 0.1.0
description:
  - Recreates the pods of every Deployment, StatefulSet and DaemonSet with a pod whose proxy is of an earlier build than
    its revision injects now, one workload after the other by its own update strategy, and waits for each. What is
    there decides, so a run that was cut off is continued by the next one.
  - Does so in namespaces that this collection made, tenants'. In all others it names what is behind in a warning.
  - Leaves alone what is of another revision than its namespace names; role istio_upgrade moves that.
  - Ends at the first workload that does not become ready, which goes back to its former pods. All keep serving.
  - The user of O(kubeconfig) must be allowed to change workloads.
options:
  files:
    description:
      - Files with the objects of the control planes, a JSON list in each, as module M(twinstack.core.istio_render)
        leaves them. In check mode, where they were not applied, they say what would be injected.
    type: list
    elements: path
    default: []
  timeout:
    description: Longest wait for one workload, in seconds.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
    details: Reports which workloads would get new pods.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Renew proxies
  twinstack.core.istio_proxy_renewal:
    kubeconfig: ~/.kube/config
"""

RETURN = r"""
renewed:
  description: Workloads that got new pods, in this order.
  returned: always
  type: list
  elements: str
behind:
  description: Pods' owners that were left alone with proxies of an earlier build, and what these are.
  returned: always
  type: list
  elements: str
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.istio import builds as istio_builds
from ansible_collections.twinstack.core.plugins.module_utils.istio import revision_rollout, revisions
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.apply import wait_all
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, RefusedError
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, Object, key_of
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path

JSON_CONTENT = "application/json"
POLL_SECONDS = 1.0
WEBHOOKS = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")

SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    "files": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "float", "default": 180},
}


def would_inject(client: Client, workload: Object) -> str:
    """The proxy's image that a new pod of a workload would get, by the API server's dry run; empty when none is known.

    Only istiod knows when it has taken up a changed configuration of its injector.
    """
    key, template = key_of(workload), workload["spec"]["template"]
    metadata = {**(template.get("metadata") or {}), "name": f"{key.name}-dry-run", "namespace": key.namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}
    where = path("v1", "pods", key.namespace)
    try:
        return istio_builds.proxy_image(client.request("POST", where, {"dryRun": "All"}, pod, JSON_CONTENT))
    except RefusedError:  # a quota that is used up, say: the workload's own controller finds out
        return ""


def planned(files: list[str]) -> dict[str, str]:
    """What each revision would inject by the objects that are to be applied."""
    objects = [item for one in files for item in json.loads(Path(one).read_text(encoding="utf-8"))]
    return istio_builds.injected(item for item in objects if item["kind"] == "ConfigMap")


def named(client: Client) -> dict[str, str]:
    """The revision that each namespace of this collection's names."""
    by_tag = revisions.tags(client.list(*WEBHOOKS))
    return {
        item["metadata"]["name"]: revisions.revision_named(item, by_tag)
        for item in client.list("v1", "Namespace")
        if revisions.is_ours(item) and not revisions.going(item)
    }


def renewable(pods: list[Object], ours: dict[str, str]) -> dict[str, list[Object]]:
    """These pods by namespace as far as they are to be renewed. ours: as of `named`."""
    found: dict[str, list[Object]] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["namespace"])):
        if ours.get(pod["metadata"]["namespace"]) == revisions.revision_of(pod):
            found.setdefault(pod["metadata"]["namespace"], []).append(pod)
    return found


def way_out(owner: Key, ours: dict[str, str]) -> str:
    """The next command for a workload that was left alone."""
    if owner.kind not in revision_rollout.KINDS:
        return f"kubectl -n {owner.namespace} delete {owner.kind.lower()} {owner.name}, and make it again"
    if owner.namespace in ours:
        return "playbooks/istio/upgrade_tenants.yml, because its namespace names another revision"
    return f"kubectl -n {owner.namespace} rollout restart {owner.kind.lower()} {owner.name}"


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    timeout = module.params["timeout"]
    if kube_module.comes_later(module):
        module.exit_json(changed=False, renewed=[], behind=[])
    client = kube_module.connect(module, "twinstack-rollout")
    renewed: list[str] = []
    late: list[str] = []

    def wait(key: Key) -> list[str]:
        return wait_all(client, [(key, "")], time.monotonic() + timeout)

    def ready_for(expected: str) -> Callable[[Object], list[str]]:
        def ready(workload: Object) -> list[str]:
            end = time.monotonic() + timeout
            while (found := would_inject(client, workload)) and not istio_builds.same_build(found, expected):
                if time.monotonic() > end:
                    return [f"{key_of(workload)}: istiod would still inject {found}, expected {expected}"]
                time.sleep(POLL_SECONDS)
            return []

        return ready

    try:
        builds = planned(module.params["files"]) if module.check_mode else {}
        builds = builds or revision_rollout.builds_of(client)
        old = [pod for pod in client.list("v1", "Pod") if istio_builds.outdated(pod, builds)]
        ours = named(client) if old else {}
        spaces = renewable(old, ours)
        others = [pod for pod in old if pod not in spaces.get(pod["metadata"]["namespace"], [])]
        for space, pods in spaces.items():
            for revision in sorted({revisions.revision_of(pod) for pod in pods}):
                ready = ready_for(builds[revision])
                done, late = revision_rollout.renew_all(client, space, pods, revision, wait, ready, module.check_mode)
                renewed += done
            if late:
                break
        if renewed and not module.check_mode and not late:
            others = [pod for pod in client.list("v1", "Pod") if istio_builds.outdated(pod, builds)]
    except API_ERRORS as error:
        if module.check_mode:
            module.exit_json(changed=False, renewed=[], behind=[])
        finding = kube_module.no_answer(module, error, "pods", "kubectl get pods -A")
        kube_module.refuse(module, finding, changed=bool(renewed), renewed=renewed, behind=[])
    left = {revisions.owner_of(pod): istio_builds.outdated(pod, builds) for pod in others}
    behind = []
    for owner, what in sorted(left.items()):
        behind.append(f"{owner}: {what}")
        module.warn(f"{owner}: {what}; not renewed. Try: {way_out(owner, ours)}")
    if late:
        text = "\n".join(["Not every proxy is of its control plane's build:", *(f"  {line}" for line in late)])
        module.fail_json(
            msg=f"{text}\nTry: kubectl get pods -A; then the same playbook, which goes on from there",
            changed=bool(renewed),
            renewed=renewed,
            behind=behind,
        )
    module.exit_json(changed=bool(renewed), renewed=renewed, behind=behind)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
