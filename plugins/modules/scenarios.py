#!/usr/bin/python
"""Run scenarios against tenants in both IP families."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scenarios
short_description: Run scenarios against tenants in both IP families
version_added: 0.1.0
description:
  - Sends requests and load to the services of tenants, from outside the cluster by their gateways and from their own
    pods, over each family, and reports for each scenario and family what was sent and what came back.
  - Creates the namespace C(twinstack-demo) with a service outside the mesh and a pod of fortio, and removes it again,
    together with a route that one of the scenarios breaks on purpose. What an interrupted run left is removed first.
  - Waits until every path is answered at all; after that nothing is tried twice, but what monitoring collects late.
  - The user of O(kubeconfig) must be allowed to do everything in the cluster.
options:
  scenarios:
    description: All scenarios, see docs/scenarios.md.
    type: list
    elements: dict
    required: true
  run:
    description: Ids of those to run; none = all.
    type: list
    elements: str
    default: []
  tenants:
    description: The variable C(twinstack_tenants).
    type: list
    elements: dict
    required: true
  nodes:
    description: Nodes that receive requests from outside, with C(ipv4) and C(ipv6) each.
    type: list
    elements: dict
    required: true
  demo_image:
    description: Full name of the demo service's image.
    type: str
    required: true
  fortio_image:
    description: Full name of fortio's image.
    type: str
    required: true
  outside_command:
    description: Prefix of commands that run outside the cluster; none = the controller itself.
    type: list
    elements: str
    default: []
  external:
    description: C(port), C(ipv4) and C(ipv6) for a server outside the cluster; empty = there is none.
    type: dict
    default: {}
  timeout:
    description: How long the scenarios' own pods may take until they are ready, in seconds.
    type: float
    default: 120
  settle_timeout:
    description: How long everything may then take until it answers, in seconds.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    details: Checks the scenarios and sends nothing.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Run two scenarios
  twinstack.core.scenarios:
    kubeconfig: ~/.kube/config
    scenarios: "{{ scenarios_all }}"
    run: [S1, S5]
    tenants: "{{ twinstack_tenants }}"
    nodes: [{ipv4: 192.0.2.1, ipv6: "2001:db8::1"}]
    demo_image: twinstack.internal/demo:0.1.0
    fortio_image: docker.io/fortio/fortio:1.66.5
"""

RETURN = r"""
scenarios:
  description: For each scenario and family what was sent, what came back and whether that was expected.
  returned: always
  type: list
  elements: dict
topology:
  description: Who called whom meanwhile.
  returned: always
  type: dict
ok:
  description: Whether all were as expected.
  returned: always
  type: bool
failures:
  description: Steps that were not, as text.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, reason
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model as scenario_model
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import run as scenario_run
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import ScenarioError, Settings


def main() -> None:
    """Entry point."""
    dicts = {"type": "list", "elements": "dict", "required": True}
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            "scenarios": dicts,
            "run": {"type": "list", "elements": "str", "default": []},
            "tenants": dicts,
            "nodes": dicts,
            "demo_image": {"type": "str", "required": True},
            "fortio_image": {"type": "str", "required": True},
            "outside_command": {"type": "list", "elements": "str", "default": []},
            "external": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 120},
            "settle_timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    kube_module.require_libraries(module)
    params = module.params
    wanted = params["run"] or [str(item["id"]) for item in params["scenarios"]]
    tenants = scenario_model.parse_tenants(params["tenants"])
    wrong = scenario_model.problems(params["scenarios"], tenants, wanted)
    if wrong:
        module.fail_json(msg="\n".join(["Scenarios cannot be run:", *(f"  {one.line()}" for one in wrong)]))
    if module.check_mode:
        module.exit_json(changed=False, ok=True, scenarios=[], topology={}, failures=[])
    settings = Settings(
        tenants=tenants,
        nodes=[{"IPv4": str(node["ipv4"]), "IPv6": str(node["ipv6"])} for node in params["nodes"]],
        demo_image=params["demo_image"],
        fortio_image=params["fortio_image"],
        prefix=tuple(params["outside_command"]),
        external=params["external"],
        ready_seconds=params["timeout"],
        settle_seconds=params["settle_timeout"],
    )
    client = kube_module.connect(module, "twinstack-demo")
    reader = kube_module.connect(module, "twinstack-demo", retries=True)
    try:
        engine = scenario_run.Engine(settings, params["scenarios"], client, reader)
        results, topology = scenario_run.run_all(engine, params["scenarios"], wanted)
    except (ScenarioError, *API_ERRORS) as error:
        hint = "kubectl get pods -A; kubectl -n twinstack-demo get events"
        module.fail_json(msg=f"scenarios: {reason(error)}. Try: {hint}")
    failures = [
        f"{result['id']} {result['family']}: {step['title']}: {step['detail']}"
        for result in results
        for step in result["steps"]
        if not step["ok"]
    ]
    module.exit_json(
        changed=False,
        ok=all(result["ok"] for result in results),
        scenarios=results,
        topology=topology,
        failures=failures,
    )


if __name__ == "__main__":
    main()
