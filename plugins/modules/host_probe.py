#!/usr/bin/python
# Apache-2.0
"""Look at one host, change nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_probe
short_description: Read everything about a host that decides whether it can become a cluster node
version_added: 0.1.0
description:
  - One SSH execution, read only, well under a second. Judging what was found is the work of
    M(twinstack.core.host_check) on the controller.
  - No kernel module is loaded to find out whether it could be.
options:
  snapshot:
    description:
      - Return RV(snapshot) instead of the other values, a comparable picture of all that a cluster install could
        touch. Taken before an install and after a reset, it shows what stayed behind.
    type: bool
    default: false
  api_port:
    description: Port of the API server, one of the ports that are watched.
    type: int
    default: 6443
  metrics_path:
    description: Where Prometheus' data are, or will be; an absolute path.
    type: path
    default: /var
attributes:
  check_mode:
    support: full
    details: Reads only.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Look at the hosts
  twinstack.core.host_probe:
  register: __preflight_host
"""

RETURN = r"""
probe:
  description: What was found, by subject.
  returned: when O(snapshot) is false
  type: dict
  contains:
    os: {description: "C(id), C(version) and C(name) of os-release.", type: dict}
    architecture: {description: Machine name of uname., type: str, sample: x86_64}
    kernel: {description: Kernel release., type: str}
    hostname: {description: Host name as the kernel knows it., type: str}
    cgroups: {description: "C(version) (1 or 2) and C(controllers).", type: dict}
    features:
      description: By feature, its C(state) (loaded, built_in, available, absent, unknown) and what says so (C(by)).
      type: dict
    cpus: {description: Number of online processors., type: int}
    memory: {description: "C(total_mb) and C(available_mb) in MiB.", type: dict}
    disk_free_gb: {description: Free space below /var in GiB., type: float}
    metrics_disk_gb: {description: Size of the file system below O(metrics_path) in GiB., type: float}
    swap: {description: Devices and files in use as swap., type: list}
    clock: {description: "C(seconds) since the epoch and whether it is C(synchronised).", type: dict}
    ports: {description: Watched ports that are taken and by which program., type: list}
    stale: {description: Traces of a cluster., type: dict}
    own: {description: "Whether this project's record is C(present), the C(error) in it, its C(cluster).", type: dict}
    firewall: {description: Tables with rules that no cluster made., type: list}
    links: {description: "By name, C(mtu), C(up), C(running), C(kind), C(vxlan_port), C(addresses).", type: dict}
    routes: {description: Routes of the main table by family., type: dict}
    sysctls: {description: "Values by path below /proc/sys.", type: dict}
    machine_id: {description: The machine-id., type: str}
snapshot:
  description: By subject, a mapping of names to values.
  returned: when O(snapshot) is true
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import snapshot as host_probe_snapshot


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "snapshot": {"type": "bool", "default": False},
            "api_port": {"type": "int", "default": 6443},
            "metrics_path": {"type": "path", "default": "/var"},
        },
        supports_check_mode=True,
    )
    if module.params["snapshot"]:
        module.exit_json(changed=False, snapshot=host_probe_snapshot.take())
    module.exit_json(changed=False, probe=host_probe.observe(module.params["api_port"], module.params["metrics_path"]))


if __name__ == "__main__":
    main()
