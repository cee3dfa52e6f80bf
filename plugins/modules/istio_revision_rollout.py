#!/usr/bin/python
"""Workloads of a namespace get proxies of the revision that the namespace names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_revision_rollout
short_description: Move a namespace's workloads to another revision of the mesh
version_added: 0.1.0
description:
  - Recreates the pods of every Deployment, StatefulSet and DaemonSet with a pod whose proxy is of another revision, one
    workload after the other by its own update strategy, and waits for each. Workloads outside the mesh are left alone.
  - Ends at the first workload that does not become ready, which goes back to its former pods. All keep serving.
  - The user of O(kubeconfig) must be allowed to change workloads.
options:
  namespace:
    description: The namespace, which is labelled with the revision already.
    type: str
    required: true
  revision:
    description: The revision.
    type: str
    required: true
  timeout:
    description: Longest wait for one workload, in seconds.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
    details: Reports which workloads would be moved.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Move tenant foo
  twinstack.core.istio_revision_rollout:
    kubeconfig: ~/.kube/config
    namespace: foo
    revision: canary
"""

RETURN = r"""
moved:
  description: Workloads that got new pods, in this order.
  returned: always
  type: list
  elements: str
without_proxy:
  description: Running pods that are not in the mesh, and are left alone. A warning names them.
  returned: success
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.istio import revision_rollout
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.apply import wait_all
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

POLL_SECONDS = 0.5


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "namespace": {"type": "str", "required": True},
            "revision": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 180},
        },
        supports_check_mode=True,
    )
    space, revision = module.params["namespace"], module.params["revision"]
    timeout = module.params["timeout"]
    moved: list[str] = []
    late: list[str] = []
    without: list[str] = []
    client = kube_module.connect(module, "twinstack-rollout")
    try:

        def wait(key: Key) -> list[str]:
            return wait_all(client, [(key, "")], time.monotonic() + timeout)

        moved, late = revision_rollout.move_all(client, space, revision, wait, module.check_mode)
        end = time.monotonic() + timeout
        while moved and not module.check_mode and not late:
            left = revision_rollout.settled(client, space, revision)
            if not left:
                break
            if time.monotonic() > end:
                late = [f"pods {', '.join(left)}: found them still there, expected only pods of {revision}"]
            time.sleep(POLL_SECONDS)
        without = [] if late else revision_rollout.outside(client, space)
    except API_ERRORS as error:
        finding = kube_module.no_answer(module, error, space, f"kubectl -n {space} get pods")
        kube_module.refuse(module, finding, changed=bool(moved))
    if late:
        text = "\n".join([f"{space} was not moved to {revision} as a whole:", *(f"  {line}" for line in late)])
        module.fail_json(msg=f"{text}\nTry: kubectl -n {space} describe pods", changed=True, moved=moved)
    if without and module.check_mode:  # said once where tenants move: they are looked at in check mode first
        module.warn(f"{space}: not in the mesh, and not moved: pods {', '.join(without)}")
    module.exit_json(changed=bool(moved), moved=moved, without_proxy=without)


if __name__ == "__main__":
    main()
