#!/usr/bin/python
"""Purge what an uninstall of Istio leaves behind."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_purge
short_description: Purge what remains of Istio after its own objects are uninstalled
version_added: 0.1.0
description:
  - Removes what is left of this collection's apply set C(istio), webhooks that call a control plane which is gone, and
    the ConfigMaps with Istio's root certificate from all namespaces unless others have a control plane.
  - Custom resource definitions stay while others have objects of them, or a control plane.
  - Reports which pods still have a proxy. They serve on with its last configuration until they are recreated.
  - The user of O(kubeconfig) must be allowed to do everything in the cluster.
options:
  crds:
    description: Remove Istio's custom resource definitions whoever has objects of them.
    type: bool
    default: false
  timeout:
    description: Longest wait until all is gone, in seconds.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    details: Reports what would be removed.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Remove what istiod created by itself
  twinstack.core.istio_purge:
    kubeconfig: ~/.kube/config
"""

RETURN = r"""
removed:
  description: Names of what was removed.
  returned: success
  type: list
  elements: str
meshed:
  description: Pods that still have a proxy.
  returned: success
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.istio import foreign, purge
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, key_of

POLL_SECONDS = 0.5


def found(client: Client, others: foreign.Foreign, crds: bool) -> list[Key]:
    """All that is to go."""
    services = purge.staying(client.list("v1", "Service"))
    return [
        key_of(item)
        for version, kind, selector in purge.KINDS
        for item in client.list(version, kind, selector)
        if purge.is_doomed(item, services, others, crds)
    ]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "crds": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    if kube_module.comes_later(module):
        module.exit_json(changed=False, removed=[], meshed=[])
    client = kube_module.connect(module, "twinstack")
    crds = module.params["crds"]
    with kube_module.answering(module):
        others = foreign.look(client)
        doomed = found(client, others, crds)
        for key in doomed:
            client.delete(key, dry_run=module.check_mode)
        end = time.monotonic() + module.params["timeout"]
        while not module.check_mode and (still := found(client, others, crds)):
            if time.monotonic() > end:
                left = ", ".join(map(str, still))
                module.fail_json(msg=f"found {left} still there, expected it to be gone", changed=bool(doomed))
            time.sleep(POLL_SECONDS)
        meshed = purge.meshed(client.list("v1", "Pod"))
    module.exit_json(changed=bool(doomed), removed=[str(key) for key in doomed], meshed=meshed)


if __name__ == "__main__":
    main()
