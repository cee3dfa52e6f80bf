#!/usr/bin/python
# Apache-2.0
"""Documentation of the action plugin gateway_certificates; there is nothing to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_certificates
short_description: Certificates by an authority of the mesh's own
version_added: 0.1.0
description:
  - Makes a certificate authority (C(ca.crt), C(ca.key)) and a certificate for each name (C(NAME.crt), C(NAME.key)) in a
    folder on the controller, readable for its owner alone.
  - Certificates of the same authority under other names, and their keys, are removed, unless O(remove) says otherwise.
  - A certificate is made again when its hosts change, when another authority signed it, and 30 days before it ends.
options:
  dest:
    description: The folder.
    type: path
    required: true
  authority:
    description: Name of the authority, as people see it in a certificate.
    type: str
    required: true
  certificates:
    description: By name (any but C(ca)), the hosts (names and addresses of both families) that it is good for.
    type: dict
    default: {}
  keep:
    description: Files that are not removed, whoever signed them.
    type: list
    elements: path
    default: []
  remove:
    description: Remove certificates under other names, which nobody serves any more.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details: Reports what would be created.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Make a certificate for a name and an address of each family
  twinstack.core.gateway_certificates:
    dest: "{{ twinstack_secrets_dir }}/gateways"
    authority: twinstack
    certificates:
      foo: [foo.example, 192.168.1.11, fd00::11]
"""

RETURN = r"""
made:
  description: Names of what was made, C(ca) for the authority.
  returned: success
  type: list
  elements: str
removed:
  description: Names of what was removed.
  returned: success
  type: list
  elements: str
authority:
  description: Path of the authority's certificate, for those who are to trust it.
  returned: success
  type: str
"""
