#!/usr/bin/python
# Apache-2.0
"""Documentation of the action plugin api_tunnel; there is nothing to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: api_tunnel
short_description: Open an SSH tunnel from the controller's loopback to a control plane's API
version_added: 0.1.0
description:
  - Uses the host's own SSH settings of the inventory. An open tunnel whose API answers is kept, a dead one replaced.
options:
  host:
    description: Inventory host to go through.
    type: str
    required: true
  address:
    description: Address of the API server as that host sees it.
    type: str
    required: true
  api_port:
    description: Port of the API server.
    type: int
    default: 6443
  port:
    description: Port on the controller's loopback.
    type: int
    default: 16443
  admin_config:
    description: The control plane's admin.conf in base64, to be written to O(kubeconfig) for use through the tunnel.
    type: str
  kubeconfig:
    description: File on the controller, readable by its owner only; needed with O(admin_config).
    type: path
  timeout:
    description: Longest wait for the API's answer in seconds.
    type: int
    default: 120
attributes:
  check_mode:
    support: partial
    details:
      - Opens the tunnel, which is no state of a host, and writes no kubeconfig. Without an answer RV(reachable) is
        false and nothing fails.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Open the tunnel to the API
  twinstack.core.api_tunnel:
    host: cp1
    address: 10.66.0.11
"""

RETURN = r"""
reachable:
  description: The API answers through the tunnel.
  returned: always
  type: bool
"""
