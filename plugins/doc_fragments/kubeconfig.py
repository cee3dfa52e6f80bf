"""Options by which a module finds a cluster's API."""

from __future__ import annotations


class ModuleDocFragment:
    """Of all modules in the action group; the options themselves are in module_utils/kube/module.py."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Path of the kubeconfig on the machine where the module runs, which is the controller as a rule.
    type: path
    required: true
attributes:
  action_group:
    description: Use C(group/twinstack.core.kubernetes) in C(module_defaults) to give O(kubeconfig) to all of them.
    support: full
    membership:
      - twinstack.core.kubernetes
"""

    CONTEXT = r"""
options:
  context:
    description: Context of the kubeconfig; its current one by default.
    type: str
"""
