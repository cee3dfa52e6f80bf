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
  - Rules, sets, routes and links of others stay as they are. So do packages of the install that others need by now, and
    file systems that the host itself has mounted in a folder of the cluster's.
  - Nothing is undone on a host of another cluster, nor where such a file system holds data that nobody has named.
  - An interrupted reset continues when it is run again. On a clean host nothing changes.
  - All data of the cluster on this host is lost.
options:
  cluster:
    description:
      - Name of the cluster that is to go. The one in the host's record must be the same. Needed where there is a
        record; check mode works without it.
    type: str
    default: ""
  mounts:
    description:
      - Mount points of the host's own, in folders that go, whose content goes with them. The mount points stay, with
        their C(lost+found). Those that a host has not count for nothing.
    type: list
    elements: path
    default: []
  without_record:
    description:
      - Also work on a host that has no record of this project, or one without a cluster's name, and remove whatever
        Kubernetes, containerd and Calico left there, whoever installed it.
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
    cluster: twinstack
    mounts: [/var/lib/etcd]
"""

RETURN = r"""
steps:
  description: Kind and name of everything that was, or in check mode would be, removed or put back.
  returned: always
  type: list
  elements: str
  sample: ["unit kubelet.service", "link kube-ipvs0", "file /etc/sysctl.d/90-twinstack.conf"]
kept:
  description:
    - What stays and does no harm, such as a package that others need, with their names, or a kernel module that
      something else uses.
  returned: always
  type: list
  elements: str
  sample: ["package ipset, needed by firewalld"]
bare:
  description: Whether the host holds nothing of a cluster any more, or in check mode would not.
  returned: always
  type: bool
machine_id:
  description: The host's machine-id, by which its node in the cluster is known.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import Reason, refusal
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import files as reset_files
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import packages
from ansible_collections.twinstack.core.plugins.module_utils.host.reset import stages as reset_stages
from ansible_collections.twinstack.core.plugins.module_utils.host.reset.stage import HostResetError


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "default": ""},
            "mounts": {"type": "list", "elements": "path", "default": []},
            "without_record": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    cluster, without_record, mounts = (module.params[name] for name in ("cluster", "without_record", "mounts"))
    machine_id = host_probe.read("/etc/machine-id").strip()
    if not reset_stages.is_ours() and not without_record:
        left = reset_files.find_directories({})
        module.exit_json(changed=False, steps=[], kept=[], bare=not left, machine_id=machine_id)
    try:
        record = host_record.load()
        reasons = reset_stages.reasons(record, cluster, without_record, mounts)
        if record["cluster"] and not cluster and not module.check_mode:
            reasons.append(Reason("task", "cluster", "nothing", "the name of the cluster that is to go"))
        if reasons:
            module.fail_json(msg=refusal(reasons, "to reset this host; nothing was undone"))
        whole = reset_stages.has_record() or without_record
        stages = reset_stages.stages(mounts, whole)
        steps = [f"{kind} {name}" for kind, name in reset_stages.plan(record, stages)]
        kept = packages.find_kept(record)
        kept += [] if module.check_mode else reset_stages.apply(record, stages)
    except (HostResetError, ValueError) as error:
        module.fail_json(msg=str(error))
    bare = whole or not reset_files.find_directories({})
    diff = {"before": "".join(f"{step}\n" for step in steps), "after": ""}
    module.exit_json(changed=bool(steps), steps=steps, kept=kept, bare=bare, machine_id=machine_id, diff=diff)


if __name__ == "__main__":
    main()
