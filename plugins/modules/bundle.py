#!/usr/bin/python
"""Documentation of the action plugin bundle, which does all of it on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Prepare the artifacts of an install in the controller's cache
description:
  - Builds or downloads every artifact of C(bundle/manifest.yml) that the cache lacks and writes its list,
    C(bundle.json).
  - Finished files are kept one by one, so an interrupted run goes on where it ended. A damaged file is recreated.
  - Runs in the controller's own process and shows what is being made, how long that took last time and what is left.
version_added: 0.1.0
author: The Twinstack developers (@twinstack)
options:
  provider:
    description: Where artifacts come from. V(source) builds them, V(upstream) takes official downloads.
    type: str
    required: true
    choices: [source, upstream]
  versions:
    description: Versions by component, which the manifest's templates name.
    type: dict
    required: true
  groups:
    description: Whose artifacts to prepare. docs/bundle.md lists the groups.
    type: list
    elements: str
    required: true
  cache:
    description: Folder of the cache; made when it is missing.
    type: path
    required: true
  index:
    description: Path of the C(bundle.json) to write.
    type: path
    required: true
  manifest:
    description: Another manifest than the collection's own.
    type: path
  debian_mirror:
    description: URI of a Debian archive. Empty means the one that the controller's own apt uses.
    type: str
    default: ""
  rebuild:
    description: Names of steps to repeat although nothing has changed.
    type: list
    elements: str
    default: []
  verify:
    description: Whether to read and hash every cached file.
    type: bool
    default: false
  mirrors:
    description:
      - Folders and URLs that are searched for a binary by its sha256, as C(ab/abcd...), before it is built.
    type: list
    elements: str
    default: []
  caches:
    description:
      - Caches of other machines, each a folder or URL with C(index) and C(store), that are asked what the same inputs
        gave there. They are trusted.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: Says what would be made and changes nothing.
  diff_mode:
    support: full
    details: Shows the change of C(bundle.json).
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
"""

EXAMPLES = r"""
- name: Prepare what hosts and controller need
  twinstack.core.bundle:
    provider: source
    versions: "{{ twinstack_versions }}"
    groups: [control_plane, worker, controller]
    cache: ~/.cache/twinstack
    index: "{{ twinstack_artifacts_dir }}/bundle.json"
"""

RETURN = r"""
built:
  description: Names of the steps that ran, in order; in check mode, of those that would run.
  returned: success
  type: list
  elements: str
  sample: [program kubelet, image kube-proxy, images-worker]
"""
