#!/usr/bin/python
# Apache-2.0
"""Documentation of the ssh_host_keys action plugin, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_host_keys
short_description: Collect SSH host keys over both families and compare them with a known_hosts file
version_added: 0.1.0
description:
  - Runs on the controller and logs in nowhere. Reads every host's keys at C(ipv4), C(ipv6) and
    C(ansible_host), with C(ansible_port) and the ProxyCommand or ProxyJump of C(ansible_ssh_common_args) or
    C(ansible_ssh_extra_args).
  - A host that shows different keys on its addresses, that does not answer, or that lacks an address of a family is
    an error. All errors come in one list.
  - Writes nothing. RV(content) is what the file should hold.
options:
  hosts:
    description: Names of the hosts in the inventory.
    type: list
    elements: str
    required: true
  known_hosts:
    description: The file to compare with. It need not exist.
    type: path
    required: true
  timeout:
    description: Seconds to wait for a connection and for a key.
    type: float
    default: 10.0
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
- name: Look at the hosts' keys
  twinstack.core.ssh_host_keys:
    hosts: "{{ groups['control_plane'] + groups['worker'] }}"
    known_hosts: "{{ inventory_dir }}/.known_hosts"
  run_once: true
  register: keys
"""

RETURN = r"""
table:
  description: Lines of a table with host, addresses, kind, SHA256 fingerprint and state (C(new), C(known), C(CHANGED)).
  returned: always
  type: list
  elements: str
new:
  description: Fingerprints by host for hosts of which the file has no key.
  returned: always
  type: dict
altered:
  description: Fingerprints by host that differ from the file's.
  returned: always
  type: dict
content:
  description: The file's next text, with a line per key that has all names and addresses of the host.
  returned: success
  type: str
findings:
  description: "What is wrong, each with C(where), C(field), C(found), C(expected), C(hint) and C(level)."
  returned: always
  type: list
  elements: dict
"""
