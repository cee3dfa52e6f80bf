#!/usr/bin/python
# Apache-2.0
"""Documentation of the host_check action plugin, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Judge what the probes found on all hosts and refuse with all reasons at once
version_added: 0.1.0
description:
  - Runs on the controller and touches no host. Use it once per run, after M(twinstack.core.host_probe) and
    M(twinstack.core.peer_probe) have run on every host.
  - Errors fail the task, all of them in one list. Warnings are shown and the run goes on.
  - Of a cluster that stands, refuses other values of settings that cannot change, other versions than those that run,
    hosts that are not the machines, addresses or nodes that they were, and nodes that the inventory does not name. A
    cordoned or tainted node is a warning; it stays as it is.
options:
  hosts:
    description: Names of the hosts to judge.
    type: list
    elements: str
    required: true
  control_plane:
    description: Those of them that become control planes.
    type: list
    elements: str
    required: true
  host_probe:
    description: Name of the variable in which the result of M(twinstack.core.host_probe) was registered.
    type: str
    required: true
  peer_probe:
    description: Name of the variable in which the result of M(twinstack.core.peer_probe) was registered.
    type: str
    required: true
  beside:
    description:
      - Probes, by host, of those that the run leaves alone but which tell what stands, as the control plane does.
      - They are not judged by themselves.
    type: dict
    default: {}
  cluster:
    description: Name of the cluster; hosts that this project made part of another one are refused.
    type: str
    required: true
  cluster_settings:
    description: All settings of the cluster as the inventory has them, C(twinstack_cluster).
    type: dict
    required: true
  api_port:
    description: Port of the API server.
    type: int
    required: true
  mtu:
    description: MTU of pods in bytes; 0 leaves it to Calico.
    type: int
    required: true
  proxy_mode:
    description: Mode of kube-proxy, which decides the kernel features that are needed.
    type: str
    required: true
  encapsulation:
    description: C(None) when pods need no VXLAN.
    type: str
    required: true
  cidrs:
    description: Lists of networks by the name of their variable, C(pod_cidrs) and C(service_cidrs).
    type: dict
    required: true
  min_cpus:
    description: Least number of processors.
    type: int
    required: true
  min_memory_mb:
    description: Least memory in MiB.
    type: int
    required: true
  min_disk_gb:
    description: Least free space below /var in GiB. Not required of hosts that already hold this project's install.
    type: float
    required: true
  metrics_host:
    description: Host that keeps Prometheus' data; none when empty.
    type: str
    default: ""
  metrics_size:
    description: How much of it, such as C(4GB). It must not be more than the disk.
    type: str
    default: ""
  systems:
    description: Versions that are accepted by distribution, both as os-release(5) writes them.
    type: dict
    required: true
  cgroup_controllers:
    description: Controllers that the unified hierarchy must have.
    type: list
    elements: str
    required: true
  max_clock_offset_seconds:
    description: Largest difference between the clocks of two hosts.
    type: float
    required: true
  swap_is_turned_off:
    description: A later role turns swap off, so swap is no error.
    type: bool
    required: true
  foreign_firewall:
    description: Whether a dropping policy that no cluster made is an error or a warning.
    type: str
    choices: [refuse, warn]
    required: true
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
- name: Refuse unfit hosts
  twinstack.core.host_check:
    hosts: "{{ groups['control_plane'] + groups['worker'] }}"
    control_plane: "{{ groups['control_plane'] }}"
    host_probe: __preflight_host
    peer_probe: __preflight_peers
    cluster: example
    cluster_settings: "{{ twinstack_cluster }}"
    api_port: 6443
    mtu: 0
    proxy_mode: ipvs
    encapsulation: VXLANCrossSubnet
    cidrs:
      pod_cidrs: [10.244.0.0/16, "fd66:244::/56"]
    min_cpus: 2
    min_memory_mb: 1700
    min_disk_gb: 10
    systems: {debian: ["13"]}
    cgroup_controllers: [cpu, cpuset, memory, pids]
    max_clock_offset_seconds: 1.0
    swap_is_turned_off: true
    foreign_firewall: refuse
  run_once: true
"""

RETURN = r"""
findings:
  description: >-
    The warnings, each with C(where), C(field), C(found), C(expected), C(hint) and C(level). When there are errors too,
    C(msg) holds all of them.
  returned: success
  type: list
  elements: dict
"""
