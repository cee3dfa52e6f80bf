#!/usr/bin/python
# Apache-2.0
"""Documentation of the action plugin report; there is nothing to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write a verification's report as JSON, JUnit XML and one HTML page
version_added: 0.1.0
description:
  - Runs on the controller. Whether failed probes fail the play is the caller's decision.
options:
  report:
    description: What M(twinstack.core.verify) returned. Without it the last report is written again with O(endpoints).
    type: dict
  endpoints:
    description: Endpoints that every host has checked because the last verification still holds.
    type: list
    elements: dict
  scenarios:
    description: What M(twinstack.core.scenarios) returned; the last report is written again with them.
    type: list
    elements: dict
  comparison:
    description: Measurements of C(tests/bench/compare_dual_stack.yml); the last report is written again with them.
    type: list
    elements: dict
  topology:
    description: Who called whom during O(scenarios).
    type: dict
  hosts:
    description: Number of hosts that have checked O(endpoints).
    type: int
  dest:
    description: Folder to write to.
    type: path
    required: true
  kubeconfig:
    description: Path of the kubeconfig for people, named in the summary.
    type: path
attributes:
  check_mode:
    support: partial
    details: Writes the report all the same, as it is no state of a host.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Write the report
  twinstack.core.report:
    report: "{{ __verify_result['report'] }}"
    dest: "{{ twinstack_artifacts_dir }}"
"""

RETURN = r"""
ok:
  description: Every probe passed.
  returned: always
  type: bool
summary:
  description: A table per family, every failure, and where things are. Callback run_report shows it at the run's end.
  returned: always
  type: str
"""
