"""Settings of Ansible's SSH connections with which a host that dies is noticed soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import connection_loader
from ansible.plugins.lookup import LookupBase
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh import keep_alive

DOCUMENTATION = r"""
name: ssh_setting
short_description: A setting of Ansible's SSH connections with which a host that dies is noticed soon
description:
  - Takes what environment and ansible.cfg say and adds what they leave out. An installed collection has no ansible.cfg
    of its own, and by Ansible's own defaults a task on a host that has lost its power never ends.
version_added: 0.1.0
author: The Twinstack developers (@twinstack)
options:
  _terms:
    description: Names of settings, V(ssh_args) or V(retries).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Notice it when a host has died
  ansible.builtin.set_fact:
    ansible_ssh_args: "{{ lookup('twinstack.core.ssh_setting', 'ssh_args') }}"
"""

RETURN = r"""
_raw:
  description: The value of each.
  type: list
  elements: raw
"""

#: Ansible's own name of each, and what is made of what is configured.
SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ssh_args": ("ssh_args", lambda configured: keep_alive.arguments(str(configured or ""))),
    "retries": ("reconnection_retries", lambda configured: keep_alive.retries(int(configured or 0))),
}


class LookupModule(LookupBase):
    """A value for each name."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[Any]:
        """The values, in the order of the terms."""
        connection_loader.get("ansible.builtin.ssh", class_only=True)  # makes its settings known
        return [_value(str(term)) for term in terms]


def _value(name: str) -> Any:
    if name not in SETTINGS:
        raise AnsibleLookupError(f"ssh_setting: setting: found {name}; expected {' or '.join(SETTINGS)}")
    # Without the variables, of which this value is to become one.
    option, made = SETTINGS[name]
    return made(constants.config.get_config_value(option, plugin_type="connection", plugin_name="ssh"))
