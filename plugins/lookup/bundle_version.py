"""The version of a component that the bundle builds, for the defaults of twinstack_versions."""

from __future__ import annotations

from functools import cache
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest, versions

DOCUMENTATION = r"""
name: bundle_version
short_description: Version of a component that the bundle builds
description:
  - Reads C(bundle/manifest.yml) of this collection and what it includes.
version_added: 0.1.0
author: The Twinstack developers (@twinstack)
options:
  _terms:
    description: Names of components, as under C(go_modules) in the manifest.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show which Kubernetes provider source builds
  ansible.builtin.debug:
    msg: "{{ lookup('twinstack.core.bundle_version', 'kubernetes') }}"
"""

RETURN = r"""
_raw:
  description: Version of each component.
  type: list
  elements: str
"""

#: Read once in a process: templates need it again and again.
_versions = cache(versions.of_all)


class LookupModule(LookupBase):
    """A version for each term."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """The versions, in the order of the terms."""
        try:
            known = _versions()
        except manifest.ManifestError as error:
            raise AnsibleLookupError(str(error)) from error
        unknown = [str(term) for term in terms if term not in known]
        if unknown:
            found, expected = ", ".join(unknown), ", ".join(known)
            raise AnsibleLookupError(f"bundle_version: component: found {found}; expected {expected}")
        return [known[term] for term in terms]
