#!/usr/bin/python
# Apache-2.0
"""Documentation of the validate_inventory action plugin, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_inventory
short_description: Judge the inventory before any host is contacted and refuse with all reasons at once
version_added: 0.1.0
description:
  - Runs on the controller, contacts no host and takes no options. It reads all hosts, groups and variables of the
    inventory, below them the defaults of this collection's roles, and needs none of its roles to have run.
  - Looks at addresses of both families, pod, Service and host networks, names, groups, ports, types and choices of all
    options of this collection, misspelt variables, and versions that are not tested together.
  - Errors fail the task, all of them in one list. Warnings are shown and the run goes on.
options: {}
attributes:
  check_mode:
    support: full
    details: Reads only.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Refuse a wrong inventory
  hosts: localhost
  connection: local
  tasks:
    - name: Judge the inventory
      twinstack.core.validate_inventory:
"""

RETURN = r"""
findings:
  description: >-
    The warnings, each with C(where), C(field), C(found), C(expected), C(hint) and C(level). When there are errors too,
    C(msg) holds all of them.
  returned: success
  type: list
  elements: dict
"""
