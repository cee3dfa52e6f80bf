#!/usr/bin/python
# Apache-2.0
"""Check connectivity from a host to endpoints in both families."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_connectivity
short_description: Check connectivity from a host to many endpoints in both families at once
version_added: 0.1.0
description:
  - Sends echo requests and opens TCP connections, all at the same time, and reports which endpoints are unreachable.
options:
  endpoints:
    description: Endpoints to check.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the endpoint, for the report.
        type: str
        required: true
      family:
        description: IP family of the address.
        type: str
        choices: [IPv4, IPv6]
        required: true
      address:
        description: Address of the endpoint.
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
- name: Check the endpoints
  twinstack.core.host_connectivity:
    endpoints:
      - {name: DNS, family: IPv6, address: "fd66:96::a", port: 53}
"""

RETURN = r"""
unreached:
  description: >-
    Those of O(endpoints) that are unreachable, as text. Not C(unreachable): by that word Ansible gives up a host.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import connectivity


def shown(endpoint: connectivity.Endpoint) -> str:
    """An endpoint as text."""
    port = f" port {endpoint['port']}" if endpoint["port"] else ""
    return f"{endpoint['name']} by {endpoint['family']} ({endpoint['address']}{port})"


def main() -> None:
    """Entry point of the module."""
    endpoint = {
        "name": {"type": "str", "required": True},
        "family": {"type": "str", "choices": ["IPv4", "IPv6"], "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 0},
    }
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "dict", "required": True, "options": endpoint},
            "timeout": {"type": "float", "default": 3},
        },
        supports_check_mode=True,
    )
    try:
        found = connectivity.unreachable(module.params["endpoints"], module.params["timeout"])
    except OSError as error:
        module.fail_json(msg=f"echo requests: found {error}, expected the right to open raw sockets. Try: --become")
    module.exit_json(changed=False, unreached=[shown(endpoint) for endpoint in found])


if __name__ == "__main__":
    main()
