#!/usr/bin/python
# Apache-2.0
"""Try ways from a host in both families."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_connectivity
short_description: Try many ways from a host in both families at once
version_added: 0.1.0
description:
  - Sends echo requests and opens TCP connections, all at the same time, and tells which do not work.
options:
  ways:
    description: What to try.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What is at the other end.
        type: str
        required: true
      family:
        description: IP family of the address.
        type: str
        choices: [IPv4, IPv6]
        required: true
      address:
        description: The other end's address.
        type: str
        required: true
      port:
        description: TCP port to connect to; 0 for an echo request.
        type: int
        default: 0
  timeout:
    description: Longest wait for each in seconds.
    type: float
    default: 3
attributes:
  check_mode:
    support: full
    details: Changes nothing.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Try the ways
  twinstack.core.host_connectivity:
    ways:
      - {name: DNS, family: IPv6, address: "fd66:96::a", port: 53}
"""

RETURN = r"""
broken:
  description: Those of O(ways) that do not work, as text.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import connectivity


def shown(way: connectivity.Way) -> str:
    """A way for people."""
    return f"{way['name']} by {way['family']} ({way['address']}{f' port {port}' if (port := way['port']) else ''})"


def main() -> None:
    """Entry point of the module."""
    way = {
        "name": {"type": "str", "required": True},
        "family": {"type": "str", "choices": ["IPv4", "IPv6"], "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 0},
    }
    module = AnsibleModule(
        argument_spec={
            "ways": {"type": "list", "elements": "dict", "required": True, "options": way},
            "timeout": {"type": "float", "default": 3},
        },
        supports_check_mode=True,
    )
    try:
        found = connectivity.broken(module.params["ways"], module.params["timeout"])
    except OSError as error:
        module.fail_json(msg=f"echo requests: found {error}, expected the right to open raw sockets. Try: --become")
    module.exit_json(changed=False, broken=[shown(way) for way in found])


if __name__ == "__main__":
    main()
