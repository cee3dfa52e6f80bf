#!/usr/bin/python
"""Measure how much configuration a proxy has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_config
short_description: Measure how much configuration a proxy of the mesh has
version_added: 0.1.0
description:
  - Reads the dump of a pod's proxy from inside the pod and counts what is in it, once it knows as many Services and
    endpoints as expected and two looks in a row see the same.
  - The user of O(kubeconfig) must be allowed to run commands in pods.
options:
  namespace:
    description: Namespace of the pod.
    type: str
    required: true
  pod:
    description: The pod.
    type: str
    required: true
  container:
    description: A container of it with C(sh) and C(curl).
    type: str
    required: true
  outbound:
    description: How many clusters must lead to Services, one for each port of a Service.
    type: int
    required: true
  hosts:
    description: How many endpoints there must be at least, however many addresses each has.
    type: int
    required: true
  addresses:
    description: How many addresses all endpoints must have at least; one that is dual-stack has two.
    type: int
    required: true
  timeout:
    description: Longest wait in seconds.
    type: float
    default: 120
attributes:
  check_mode:
    support: full
    details: Reads only.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Measure
  twinstack.core.proxy_config:
    kubeconfig: ~/.kube/config
    namespace: shop
    pod: basket-0
    container: basket
    outbound: 40
    hosts: 40
    addresses: 80
"""

RETURN = r"""
counts:
  description: Numbers of C(listeners), C(clusters), C(routes), C(endpoints), and C(bytes) and C(memory).
  returned: success
  type: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.istio import proxy_config
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module

LOOK_SECONDS = 60.0
PAUSE_SECONDS = 3.0


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "namespace": {"type": "str", "required": True},
            "pod": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "outbound": {"type": "int", "required": True},
            "hosts": {"type": "int", "required": True},
            "addresses": {"type": "int", "required": True},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    where = params["namespace"], params["pod"], params["container"]
    end, error = time.monotonic() + params["timeout"], ""
    before: dict[str, int] = {}
    client = kube_module.connect(module, "twinstack")
    while time.monotonic() < end:
        try:
            output = client.execute(
                where, proxy_config.COMMAND, "", LOOK_SECONDS, lambda said: said.endswith(proxy_config.END)
            )
            found = proxy_config.parse(output)
        except (OSError, ValueError, KeyError) as problem:  # an answer that was cut off: the next look tells
            before, error = {}, str(problem)
        else:
            same = {**found, "memory": 0} == {**before, "memory": 0}
            enough = found["hosts"] >= params["hosts"] and found["endpoints"] >= params["addresses"]
            if same and found["outbound"] == params["outbound"] and enough:
                module.exit_json(changed=False, counts={**found, "memory": min(found["memory"], before["memory"])})
            before = found
            error = (
                f"found {found['outbound']} clusters of Services and {found['hosts']} endpoints with "
                f"{found['endpoints']} addresses, expected {params['outbound']}, at least {params['hosts']} with "
                f"{params['addresses']}, and no change between two looks"
            )
        time.sleep(PAUSE_SECONDS)
    hint = f"kubectl -n {params['namespace']} describe pod {params['pod']}"
    module.fail_json(msg=f"proxy of {params['namespace']}/{params['pod']}: {error}. Try: {hint}")


if __name__ == "__main__":
    main()
