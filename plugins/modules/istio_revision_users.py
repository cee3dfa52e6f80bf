#!/usr/bin/python
# Apache-2.0
"""Refuse the removal of a revision of the mesh that is in use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_revision_users
short_description: Refuse the removal of a revision of the mesh that is in use
version_added: 0.1.0
description:
  - Compares the control planes that this collection installed with the revisions that are to be. While one that is to
    go is named by a namespace (C(istio.io/rev), C(istio-injection) or a tag), or a running pod has its proxy, the
    module fails and names all of these users. Without its control plane a namespace starts no pod any more, and a proxy
    gets neither configuration nor a new certificate.
  - Namespaces whose names begin with C(twinstack-), which are this collection's own temporary ones, count for nothing.
  - Changes nothing. The user of O(kubeconfig) must be allowed to read namespaces, pods, Deployments and webhooks.
options:
  revisions:
    description: Names of the revisions that are to be.
    type: list
    elements: str
    required: true
  default:
    description: The default one of them.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    details: Refuses the same.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Refuse to remove a revision in use
  twinstack.core.istio_revision_users:
    kubeconfig: ~/.kube/config
    revisions: [stable]
    default: stable
"""

RETURN = r"""
leaving:
  description: Revisions that are installed and are not to be any more.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM
from ansible_collections.twinstack.core.plugins.module_utils.findings import summary
from ansible_collections.twinstack.core.plugins.module_utils.istio import revisions
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path

WEBHOOKS = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")

SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    "revisions": {"type": "list", "elements": "str", "required": True},
    "default": {"type": "str", "required": True},
}


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    if kube_module.comes_later(module):
        module.exit_json(changed=False, leaving=[])
    client = kube_module.connect(module, "twinstack")
    with kube_module.answering(module, "control planes", f"kubectl -n {ISTIO_SYSTEM} get deployments"):
        try:
            installed = client.items(path("apps/v1", "deployments", ISTIO_SYSTEM), "app=istiod")
            leaving = revisions.leaving(installed, module.params["revisions"])
            found = []
            if leaving:
                by_tag = revisions.tags(client.list(*WEBHOOKS))
                spaces, pods = client.list("v1", "Namespace"), client.list("v1", "Pod")
                found = revisions.users(spaces, pods, by_tag, leaving, module.params["default"])
        except API_ERRORS:
            if not module.check_mode:
                raise
            module.exit_json(changed=False, leaving=[])
    if found:
        count = "1 reason" if len(found) == 1 else f"{len(found)} reasons"
        title = f"{count} not to remove revision {', '.join(leaving)} of the mesh"
        data = [finding.as_dict() for finding in found]
        module.fail_json(msg=summary(found, title), findings=data, leaving=leaving)
    module.exit_json(changed=False, leaving=leaving)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
