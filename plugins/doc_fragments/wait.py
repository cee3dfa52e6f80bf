"""Options that name what a module waits for."""

from __future__ import annotations


class ModuleDocFragment:
    """Objects that must be ready, or gone; the options themselves are in modules/apply.py."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - What must be ready before the module ends. Nothing is waited for in check mode.
      - The module fails before its time is up when a node has died that something cannot be ready without. It has when
        its Lease is not renewed and the API server cannot connect to its kubelet.
    type: list
    elements: dict
    default: []
    suboptions: &ready
      api_version: &api_version
        description: Group and version.
        type: str
        default: v1
      kind: &kind
        description: Kind.
        type: str
        required: true
      namespace: &namespace
        description: Namespace; empty for cluster-wide objects.
        type: str
        default: ""
      names:
        description: Names, each of which must be there; empty for all objects of the kind in all namespaces.
        type: list
        elements: str
        default: []
      condition:
        description: Condition that must be true. Empty means what the kind itself calls complete.
        type: str
        default: ""
  wait_before_workloads:
    description:
      - What must be ready before Deployments, DaemonSets and other objects of which pods come are applied, as the last
        of all. Nothing is waited for in check mode.
    type: list
    elements: dict
    default: []
    suboptions: *ready
  lost_nodes:
    description:
      - Nodes that are not waited for. DaemonSets, Deployments and StatefulSets are ready when their pods on other nodes
        are.
    type: list
    elements: str
    default: []
  wait_gone:
    description: What must be gone before the module ends. Nothing is waited for in check mode.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version: *api_version
      kind: *kind
      namespace: *namespace
      names:
        description: Names.
        type: list
        elements: str
        required: true
"""
