"""The hosts of a play, unless options of the command leave out what the run cannot do without."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.twinstack.core.plugins.plugin_utils.run import options

DOCUMENTATION = r"""
name: play_hosts
short_description: The hosts of a play, once the command's options are known to leave out nothing that it needs
description:
  - Returns its term as it is. Ansible resolves C(hosts) before a play starts, whatever options are given, so that this
    is where a run can refuse before it touches a host.
  - Refuses C(--start-at-task), tags that no step has, C(--skip-tags) of the checks, a limit without localhost for a
    play that runs there, and playbooks that are one step of another.
version_added: 0.1.0
author: The Twinstack developers (@twinstack)
options:
  _terms:
    description: The pattern of hosts.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Work on all nodes
  hosts: "{{ lookup('twinstack.core.play_hosts', 'control_plane:worker') }}"
"""

RETURN = r"""
_raw:
  description: The pattern.
  type: list
  elements: str
"""


class LookupModule(LookupBase):
    """The pattern, or an error with all reasons."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """The patterns, in the order of the terms."""
        given = options.of(context.CLIARGS)
        try:
            return [options.hosts(str(term), given) for term in terms]
        except ValueError as error:
            raise AnsibleLookupError(str(error)) from error
