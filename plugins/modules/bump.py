#!/usr/bin/python
"""Documentation of the action plugin bump, which does all of it on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bump
short_description: Take a component of the bundle to another version
description:
  - Updates the component's wrapper module, builds all that is made from it, pins the sha256 of each program in
    the manifest and says which files changed. Refuses when more than four would.
  - Works on a copy of the collection's C(bundle), so what fails or is broken off changes nothing. What was
    built is kept.
version_added: 0.1.0
author: The Twinstack developers (@twinstack)
options:
  component:
    description: Name of a wrapper module in the manifest.
    type: str
    required: true
  version:
    description: The version, three numbers.
    type: str
    required: true
  revision:
    description: Tag or commit of that version, where the module's tags are no versions of it.
    type: str
    default: ""
  cache:
    description: Folder of the bundle's cache; made when it is missing.
    type: path
    required: true
  debian_mirror:
    description: URI of a Debian archive. Empty means the one that the controller's own apt uses.
    type: str
    default: ""
extends_documentation_fragment: [twinstack.core.attributes]
attributes:
  check_mode:
    support: none
    details: Is skipped, since nothing is known before Go has resolved and built.
"""

EXAMPLES = r"""
- name: Take another Kubernetes
  twinstack.core.bump:
    component: kubernetes
    version: 1.37.2
    cache: ~/.cache/twinstack
"""

RETURN = r"""
files:
  description: Files that changed, relative to the collection.
  returned: success
  type: list
  elements: str
  sample: [bundle/go/kubernetes/go.mod, bundle/go/kubernetes/go.sum, bundle/manifest.yml]
"""
