#!/usr/bin/python
# Apache-2.0
"""Drain or delete the node of a host that leaves its cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_node
short_description: Drain a node, or delete it, on a control plane
version_added: 0.1.0
description:
  - Runs C(kubectl) on a host of the control plane, which the task delegates to, for a host that leaves the cluster.
  - Draining cordons the node and evicts its pods within their disruption budgets. When it does not come to its end,
    it lifts its own cordon and fails with the pods and why each stayed.
  - A node that is another machine than O(machine_id) is left alone with a warning. So is a cluster whose API server
    does not answer.
options:
  node:
    description: Name of the node.
    type: str
    required: true
  machine_id:
    description: The host's machine-id, as M(twinstack.core.host_reset) returns it.
    type: str
    required: true
  state:
    description: C(drained) evicts its pods, C(absent) deletes its object.
    type: str
    choices: [drained, absent]
    required: true
  timeout:
    description: Longest time for the eviction of all pods in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Drain the node
  twinstack.core.cluster_node:
    node: "{{ inventory_hostname }}"
    machine_id: "{{ found['machine_id'] }}"
    state: drained
  delegate_to: cp1
"""

RETURN = r"""
found:
  description: Whether there is such a node, C(other) when it is another machine, C(unknown) when nothing answers.
  returned: success
  type: str
  sample: present
evicted:
  description: Pods that were, or in check mode would be, evicted.
  returned: success
  type: list
  elements: str
  sample: ["foo/web-5d7c-x2x"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason, refusal
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import node as cluster_node


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "machine_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "absent"], "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    name, machine_id, state = (module.params[key] for key in ("node", "machine_id", "state"))
    undone = "was not drained" if state == "drained" else f"stays in the cluster. Try: kubectl delete node {name}"
    try:
        node = cluster_node.get(name)
    except cluster_node.NoAnswerError as error:
        module.warn(f"the API server does not answer ({error}): node {name} {undone}")
        module.exit_json(changed=False, found="unknown", evicted=[])
    if node is None:
        module.exit_json(changed=False, found="absent", evicted=[])
        return  # it has ended; nothing here says so to a type checker
    if node.machine_id != machine_id:
        where = f"node {name}: machine-id: found {node.machine_id}; expected {machine_id}, the host's"
        module.warn(f"{where}: it is another machine, so it {undone}")
        module.exit_json(changed=False, found="other", evicted=[])
    if state == "drained":
        evicted, reasons = cluster_node.drain(name, node, module.params["timeout"], module.check_mode)
        if reasons:
            module.fail_json(msg=refusal(reasons, f"to take node {name} out of the cluster"), evicted=evicted)
        module.exit_json(changed=bool(evicted) or not node.cordoned, found="present", evicted=evicted)
    failed = "" if module.check_mode else cluster_node.delete(name)
    if failed:
        hint = f"kubectl delete node {name}"
        module.fail_json(msg=Reason(f"node {name}", "deletion", failed, "an answer of the API server", hint).line())
    module.exit_json(changed=True, found="present", evicted=[])


if __name__ == "__main__":
    main()
