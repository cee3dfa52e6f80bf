#!/usr/bin/python
# Apache-2.0
"""Documentation of the plan action plugin, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Show what a run would do on every host and in the cluster
version_added: 0.1.0
description:
  - Runs on the controller. Tasks that run in check mode with the variable C(plan_notes), a path, note there what they
    would do. This module makes the plan of these notes and of what M(twinstack.core.host_probe) found, shows it and
    writes C(plan.json).
options:
  state:
    description: V(begun) forgets earlier notes, V(made) makes the plan of them.
    type: str
    choices: [begun, made]
    default: made
  dest:
    description: Folder of the notes and of C(plan.json).
    type: path
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    default: ""
  nodes:
    description: Of every host, C(own.node) as M(twinstack.core.host_probe) returns it; empty for a bare host.
    type: dict
    default: {}
  control_plane:
    description: Names of the hosts that are control planes.
    type: list
    elements: str
    default: []
  settings:
    description: Components that restart by host for a changed setting; what changes, as text, under an empty name.
    type: dict
    default: {}
  unknown:
    description: What could not be compared, and why. Empty texts are passed over.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: Writes C(plan.json) on the controller all the same, which is no state of a host.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Show the plan
  twinstack.core.plan:
    dest: "{{ twinstack_artifacts_dir }}"
    cluster: "{{ twinstack_cluster_name }}"
    nodes: {n1: {}, n2: {}}
    control_plane: [n1]
"""

RETURN = r"""
nothing:
  description: The run would change nothing.
  returned: when made
  type: bool
text:
  description: The plan for a person.
  returned: when made
  type: str
plan:
  description: The plan as in C(plan.json).
  returned: when made
  type: dict
"""
