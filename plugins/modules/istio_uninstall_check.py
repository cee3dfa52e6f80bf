#!/usr/bin/python
# Apache-2.0
"""What others have of Istio, and whether the cluster is the one whose mesh is to be uninstalled."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_uninstall_check
short_description: Check before the mesh is uninstalled
version_added: 0.1.0
description:
  - Fails unless the cluster's name was typed and is the cluster's own, by kubeadm's ConfigMap. In check mode nothing
    need be typed.
  - Names in warnings what others have of Istio - objects of its kinds, control planes, and workloads whose pods have a
    proxy, which get neither configuration nor certificates any more.
  - Returns the custom resource definitions that others need. Given to module M(twinstack.core.apply) they stay in their
    apply set, with all objects of theirs.
  - Changes nothing. The user of O(kubeconfig) must be allowed to read everything but Secrets.
options:
  confirm:
    description: What was typed.
    type: str
    default: ""
  cluster_name:
    description: The cluster's name by the inventory.
    type: str
    required: true
  crds:
    description: Whether all definitions go, whoever has objects of them.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details: Fails only when the cluster is another one.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Check before the mesh is uninstalled
  twinstack.core.istio_uninstall_check:
    kubeconfig: ~/.kube/config
    confirm: example
    cluster_name: example
"""

RETURN = r"""
others:
  description: Objects of Istio's kinds that this collection did not apply.
  returned: always
  type: list
  elements: str
meshed:
  description: Workloads with a proxy in other namespaces than this collection's.
  returned: always
  type: list
  elements: str
definitions:
  description: Custom resource definitions that stay.
  returned: success
  type: list
  elements: dict
"""

from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.findings import summary
from ansible_collections.twinstack.core.plugins.module_utils.istio import foreign
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key

with suppress(ImportError):  # kube.module reports what is missing
    import yaml


def running_name(client: Client) -> str:
    """The cluster's own name; empty when kubeadm wrote none."""
    item = client.get(Key("v1", "ConfigMap", "kube-system", "kubeadm-config"))
    found = yaml.safe_load(((item or {}).get("data") or {}).get("ClusterConfiguration", ""))
    return str(found.get("clusterName") or "") if isinstance(found, dict) else ""


def warn(module: AnsibleModule, found: foreign.Foreign) -> None:
    """Name everything that others have."""
    stay = "they go with Istio's CRDs" if module.params["crds"] else "they stay, and their CRDs"
    for title, keys in (
        (f"objects of others of Istio's kinds; {stay}", found.objects),
        ("objects of others of Istio's kinds; they go with their namespaces", found.lost),
        ("control planes of others; Istio's CRDs stay", [] if module.params["crds"] else found.control_planes),
        ("control planes of others; they lose Istio's CRDs", found.control_planes if module.params["crds"] else []),
        ("workloads of others with a proxy; recreate their pods after the uninstall", found.pods),
    ):
        if keys:
            module.warn(f"{title}: {', '.join(map(str, keys))}")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "confirm": {"type": "str", "default": ""},
            "cluster_name": {"type": "str", "required": True},
            "crds": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if kube_module.comes_later(module):
        module.exit_json(changed=False, others=[], meshed=[], definitions=[])
    client = kube_module.connect(module, "twinstack")
    with kube_module.answering(module):
        running = running_name(client)
        found = foreign.look(client)
    warn(module, found)
    told = {"others": [str(key) for key in found.objects + found.lost], "meshed": [str(key) for key in found.pods]}
    params = module.params
    refused = foreign.refusals(params["confirm"], params["cluster_name"], running, module.check_mode)
    if refused:
        title = f"{len(refused)} reason{'' if len(refused) == 1 else 's'} not to uninstall the mesh"
        data = [finding.as_dict() for finding in refused]
        module.fail_json(msg=summary(refused, title), findings=data, **told)
    kept = [] if params["crds"] else foreign.wanted(found.definitions)
    module.exit_json(changed=False, definitions=kept, **told)


if __name__ == "__main__":
    main()
