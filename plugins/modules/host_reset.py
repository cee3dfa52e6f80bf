#!/usr/bin/python
# Apache-2.0
"""Return one host to its state before the install."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_reset
short_description: Return a host to the state before this project's install
version_added: 0.1.0
description:
  - Stops kubelet, containerd and all containers; removes their mounts, links, IPVS services, firewall rules of both
    families (legacy and nft), ipsets, routes and directories; then undoes what C(/etc/twinstack/host.json) recorded,
    which are sysctls, files, packages, kernel modules and swap; at last the artifacts and the record itself.
  - Rules, sets, routes and links of others stay as they are.
  - An interrupted reset continues when it is run again. On a clean host nothing changes.
  - All data of the cluster on this host is lost.
options:
  without_record:
    description:
      - Also work on a host that has no record of this project, and remove whatever Kubernetes, containerd and Calico
        left there, whoever installed it.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The steps.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Return the hosts to the state before the install
  twinstack.core.host_reset:
"""

RETURN = r"""
steps:
  description: Kind and name of everything that was, or in check mode would be, removed or put back.
  returned: always
  type: list
  elements: str
  sample: ["unit kubelet.service", "link kube-ipvs0", "file /etc/sysctl.d/90-twinstack.conf"]
kept:
  description: What could not be removed and does no harm, such as a kernel module that something else uses.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import HostResetError


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={"without_record": {"type": "bool", "default": False}}, supports_check_mode=True
    )
    if not reset_stages.is_ours() and not module.params["without_record"]:
        module.exit_json(changed=False, steps=[], kept=[])
    try:
        record = host_record.load()
        steps = [f"{kind} {name}" for kind, name in reset_stages.plan(record)]
        kept = [] if module.check_mode else reset_stages.apply(record)
    except (HostResetError, ValueError) as error:
        module.fail_json(msg=str(error))
    before = "".join(f"{step}\n" for step in steps)
    module.exit_json(changed=bool(steps), steps=steps, kept=kept, diff={"before": before, "after": ""})


if __name__ == "__main__":
    main()
