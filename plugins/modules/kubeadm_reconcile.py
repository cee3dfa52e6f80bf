#!/usr/bin/python
# Apache-2.0
"""Change the settings of a living cluster on one host, with kubeadm's own steps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_reconcile
short_description: Bring the settings of a cluster that stands up to date, step by step
version_added: 0.1.0
description:
  - Takes the steps that filter C(kubeadm_reconciliation) names, in their order, and waits after each until what it
    changed runs. None of them restarts pods of workloads.
  - Only on a control plane that this project's C(kubeadm init) finished. What a step replaces comes back when what
    follows does not start.
options:
  steps:
    description:
      - On the control plane, C(record), the C(upload_) steps, C(certificate) and the names of components.
      - On any node, C(kubelet) and C(settle_kube_proxy), which waits until kube-proxy has its rules of both families
        and then removes what IPVS left. C(restart_kube_proxy) runs on the control plane for O(node).
    type: list
    elements: str
    required: true
    choices:
      - record
      - upload_kubeadm
      - upload_kubelet
      - upload_kube_proxy
      - certificate
      - kube-apiserver
      - kube-scheduler
      - kube-controller-manager
      - kubelet
      - restart_kube_proxy
      - settle_kube_proxy
  asked:
    description: The documents that the inventory asks for, for the host's record.
    type: str
    default: ""
  documents:
    description: kubeadm's documents as YAML text, the cluster's own with the new settings.
    type: str
    default: ""
  certificate_documents:
    description: The same with the folder in which the new certificate is made.
    type: str
    default: ""
  arguments:
    description: Words that the process of a component must have, by component.
    type: dict
    default: {}
  addresses:
    description: Addresses of the API server, one of each family.
    type: list
    elements: str
    default: []
  port:
    description: Port of the API server.
    type: int
    default: 6443
  node:
    description: For C(restart_kube_proxy), the node.
    type: str
    default: ""
  kube_proxy:
    description: For C(settle_kube_proxy), the fields of its configuration.
    type: dict
    default: {}
  reasons:
    description: What differs, a line each, for the user to see.
    type: list
    elements: str
    default: []
  timeout:
    description: Longest wait for each step in seconds.
    type: float
    default: 120
attributes:
  check_mode:
    support: full
    details: Says which steps would be taken and takes none.
  diff_mode:
    support: full
    details: O(reasons) and the steps.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Bring this node's kubelet up to date
  twinstack.core.kubeadm_reconcile:
    steps: [kubelet]
"""

RETURN = r"""
steps:
  description: The steps that changed something, or would.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm, reconcile, reconcile_node

ON_NODES = ("kubelet", "restart_kube_proxy", "settle_kube_proxy")


def main() -> None:
    """Entry point of the module."""
    choices = [*reconcile.CONTROL_PLANE, *ON_NODES]
    module = AnsibleModule(
        argument_spec={
            "steps": {"type": "list", "elements": "str", "required": True, "choices": choices},
            "asked": {"type": "str", "default": ""},
            "documents": {"type": "str", "default": ""},
            "certificate_documents": {"type": "str", "default": ""},
            "arguments": {"type": "dict", "default": {}},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 6443},
            "node": {"type": "str", "default": ""},
            "kube_proxy": {"type": "dict", "default": {}},
            "reasons": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    try:
        done = planned(module.params) if module.check_mode else take(module.params)
    except (reconcile.ReconcileError, kubeadm.KubeadmError) as error:
        module.fail_json(msg=str(error))
    lines = [*module.params["reasons"], *(f"step {step}" for step in done)]
    module.exit_json(changed=bool(done), steps=done, diff={"before": "", "after": "".join(f"{one}\n" for one in lines)})


def planned(params: dict[str, Any]) -> list[str]:
    """The steps that would change something: waiting does not, unless there is something of IPVS to remove."""
    steps = [step for step in (*reconcile.CONTROL_PLANE, *ON_NODES) if step in params["steps"]]
    if params["kube_proxy"].get("mode") == "ipvs" or not reconcile_node.ipvs_left():
        return [step for step in steps if step != "settle_kube_proxy"]
    return steps


def take(params: dict[str, Any]) -> list[str]:
    """Take the steps; returns those that changed something."""
    steps, timeout, done = params["steps"], params["timeout"], []
    if set(steps) & set(reconcile.CONTROL_PLANE):
        request = reconcile.Request(
            asked=params["asked"],
            documents=params["documents"],
            certificate_documents=params["certificate_documents"],
            arguments=params["arguments"],
            addresses=params["addresses"],
            port=params["port"],
            timeout=timeout,
        )
        with kubeadm.only_one(timeout):
            done += reconcile.control_plane(steps, request)
    if "kubelet" in steps:
        with kubeadm.only_one(timeout):
            done += ["kubelet"] if reconcile_node.kubelet(timeout) else []
    if "restart_kube_proxy" in steps:
        reconcile_node.restart_kube_proxy(params["node"], timeout)
        done += ["restart_kube_proxy"]
    if "settle_kube_proxy" in steps:
        done += ["settle_kube_proxy"] if reconcile_node.settle_kube_proxy(params["kube_proxy"], timeout) else []
    return done


if __name__ == "__main__":
    main()
