#!/usr/bin/python
"""Verify a cluster in both IP families."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Verify a dual-stack cluster, family by family
version_added: 0.1.0
description:
  - Creates three small pods per node and six Services in a namespace of its own, sends requests between all of them in
    both families, removes everything again, and returns a report in which every probe names its family.
  - Runs on the controller and needs nothing but a kubeconfig. Probes run inside the pods, one shell per pod at a time.
  - A probe that fails is tried again until O(settle_timeout) is up. A pod that does not start fails the probes that
    need it; it does not fail the module.
  - In check mode nothing is created and only what the API alone shows is reported.
  - The user of O(kubeconfig) must be allowed to do everything in the cluster.
options:
  cluster_name:
    description: Name for the report; by default the one in kubeadm's configuration.
    type: str
    default: ""
  namespace:
    description: Namespace that is created and removed. It must not exist, unless an earlier run left it behind.
    type: str
    default: twinstack-verify
  image:
    description: Full name of an agnhost image. Nodes that hold it do not pull it.
    type: str
    required: true
  host_port:
    description: Port that the agent in each host's network listens on.
    type: int
    default: 18080
  proxy_mode:
    description: Mode that kube-proxy must run in; by default the one in its own configuration.
    type: str
    choices:
      - ""
      - ipvs
      - nftables
    default: ""
  outside:
    description:
      - How to probe from outside the cluster. V(direct) is the controller itself, V(command) the controller behind
        O(outside_command), V(none) leaves it out and says so in the report.
    type: str
    choices:
      - none
      - direct
      - command
    default: none
  outside_command:
    description: Prefix of every command that runs outside, for example one that enters a network namespace.
    type: list
    elements: str
    default: []
  outside_addresses:
    description:
      - Addresses of the outside that pods can reach. With them a listener runs there and answers with the address
        that it sees. Give both families or none.
    type: dict
    suboptions:
      ipv4:
        description: IPv4 address.
        type: str
        required: true
      ipv6:
        description: IPv6 address.
        type: str
        required: true
  mesh:
    description: Verify the mesh too, where there is one. It is expected to be dual-stack and to refuse plain text.
    type: bool
    default: true
  start_timeout:
    description: Longest wait for the pods in seconds.
    type: float
    default: 120
  settle_timeout:
    description: How long failed probes are tried again, in seconds.
    type: float
    default: 30
  linger:
    description: How long the pods stay after the last probe, in seconds, so that a Prometheus sees what they counted.
    type: float
    default: 0
  remove_timeout:
    description: Longest wait until the namespace is gone, in seconds.
    type: float
    default: 60
  wait_removed:
    description: Wait until the namespace is gone. Otherwise it is on its way when the module ends.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details: Reads only.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
  - twinstack.core.kubeconfig.context
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Verify the cluster in both families
  twinstack.core.verify:
    kubeconfig: ~/.kube/config
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1
  register: verification

- name: Verify it from a network namespace on the controller too
  twinstack.core.verify:
    kubeconfig: ~/.kube/config
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1
    outside: command
    outside_command: [nsenter, --net=/run/netns/example]
    outside_addresses:
      ipv4: 192.168.7.1
      ipv6: fd07::1
"""

RETURN = r"""
report:
  description: The report, see docs/verification.md.
  returned: always
  type: dict
counts:
  description: Passed and failed probes per family.
  returned: always
  type: dict
  sample:
    IPv4: {passed: 120, failed: 0}
    IPv6: {passed: 118, failed: 2}
failures:
  description: The first failures as lines of text, each with the next command to try.
  returned: always
  type: list
  elements: str
left_behind:
  description: Why namespaces were not gone in time, one line each.
  returned: always
  type: list
  elements: str
"""

import signal
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.verify.cluster import FIELD_MANAGER, VerificationCluster
from ansible_collections.twinstack.core.plugins.module_utils.verify.report import counts, first_failures
from ansible_collections.twinstack.core.plugins.module_utils.verify.run import Settings, verify


def _stop(number: int, frame: object) -> None:
    """A termination like any other error, so that the namespace is removed on the way out."""
    raise SystemExit(128 + number)


def _settings(params: dict[str, Any]) -> Settings:
    prefix = {"none": None, "direct": (), "command": tuple(params["outside_command"])}[params["outside"]]
    given = params["outside_addresses"] or {}
    return Settings(
        name=params["cluster_name"],
        namespace=params["namespace"],
        image=params["image"],
        host_port=params["host_port"],
        proxy_mode=params["proxy_mode"],
        start_seconds=params["start_timeout"],
        settle_seconds=params["settle_timeout"],
        remove_seconds=params["remove_timeout"],
        wait_removed=params["wait_removed"],
        linger_seconds=params["linger"],
        mesh=params["mesh"],
        outside_prefix=prefix,
        outside_addresses={"IPv4": given["ipv4"], "IPv6": given["ipv6"]} if given else {},
    )


def main() -> None:
    """Entry point."""
    address = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            **kube_module.KUBECONFIG,
            **kube_module.CONTEXT,
            "cluster_name": {"type": "str", "default": ""},
            "namespace": {"type": "str", "default": "twinstack-verify"},
            "image": {"type": "str", "required": True},
            "host_port": {"type": "int", "default": 18080},
            "proxy_mode": {"type": "str", "choices": ["", "ipvs", "nftables"], "default": ""},
            "outside": {"type": "str", "choices": ["none", "direct", "command"], "default": "none"},
            "outside_command": {"type": "list", "elements": "str", "default": []},
            "outside_addresses": {"type": "dict", "options": {"ipv4": address, "ipv6": address}},
            "mesh": {"type": "bool", "default": True},
            "start_timeout": {"type": "float", "default": 120},
            "settle_timeout": {"type": "float", "default": 30},
            "linger": {"type": "float", "default": 0},
            "remove_timeout": {"type": "float", "default": 60},
            "wait_removed": {"type": "bool", "default": True},
        },
        required_if=[("outside", "command", ["outside_command"])],
        supports_check_mode=True,
    )
    kube_module.require_libraries(module)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    settings = _settings(module.params)
    client = kube_module.connect(module, FIELD_MANAGER, retries=True)
    with kube_module.answering(module):
        report, left = verify(VerificationCluster(client), settings, create=not module.check_mode)
    module.exit_json(
        changed=False,
        report=report,
        counts=counts(report["probes"]),
        failures=first_failures(report["probes"]),
        left_behind=left,
    )


if __name__ == "__main__":
    main()
