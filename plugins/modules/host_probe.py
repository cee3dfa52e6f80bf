#!/usr/bin/python
# Apache-2.0
"""Look at one host, change nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_probe
short_description: Read everything about a host that decides whether it can become a cluster node
version_added: 0.1.0
description:
  - One SSH execution, read only, in about a second. Judging what was found is the work of
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
    own:
      description: What earlier runs of this project made of the host.
      type: dict
      contains:
        present: {description: Whether there is this project's record of the host., type: bool}
        error: {description: "Why that record cannot be read, or empty.", type: str}
        cluster: {description: Name of the cluster in that record., type: str}
        node:
          description: What its kubeadm run made of the host; null where there was none. Texts are as they are on disk.
          type: dict
          contains:
            phase: {description: "C(init) or C(join); empty when the record cannot be read.", type: str}
            finished: {description: Whether that run came to its end., type: bool}
            error: {description: "Why kubeadm's record cannot be read, or empty.", type: str}
            asked: {description: "YAML text that C(init) was started with; empty after C(join).", type: str}
            ca_digest: {description: "sha256 of the cluster's CA file as hexadecimal text, or empty.", type: str}
            node_name: {description: "Name of the kubelet's Node, or empty.", type: str}
            node_ip: {description: "Addresses that the kubelet registers with, as its flag has them.", type: list}
            versions: {description: "Versions of the installed C(kubelet) and C(containerd).", type: dict}
            kubelet_config: {description: "YAML text of the kubelet's configuration, or empty.", type: str}
            api_certificate: {description: "PEM text of the API server's certificate, or empty.", type: str}
            manifests: {description: "YAML texts of the control plane's static pods by name.", type: dict}
            cluster:
              description: >-
                What the control plane's API says, null when it does not answer or the host has none: C(version),
                C(nodes) (C(name), C(uid), C(addresses), C(unschedulable), C(taints), C(ready), C(kubelet), C(runtime)),
                the YAML texts C(kubeadm_config), C(kubelet_config) and C(kube_proxy), and C(images) by workload.
              type: dict
            cluster_error: {description: "Why the API gave no answer, or empty.", type: str}
    firewall: {description: Tables with rules that no cluster made., type: list}
    links: {description: "By name, C(mtu), C(up), C(running), C(kind), C(vxlan_port), C(addresses).", type: dict}
    routes: {description: Routes of the main table by family., type: dict}
    sysctls: {description: "Values by path below /proc/sys.", type: dict}
    machine_id: {description: The machine-id., type: str}
    running:
      description: >-
        What runs now, whatever files say. C(kube_proxy), the configuration that kube-proxy runs with, empty when it
        does not answer; C(kubelet_behind), whether kubelet's configuration is newer than kubelet's start; C(ipvs),
        whether the kernel has anything of IPVS.
      type: dict
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
