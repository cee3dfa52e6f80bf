#!/usr/bin/python
# Apache-2.0
"""Boot, cut and remove the lab's hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab
short_description: Boot, switch off and remove the lab's hosts on this machine
version_added: 0.1.0
description:
  - Three user-mode Linux kernels in a network namespace of their own. A running host is left alone; what a killed lab
    left behind is used again or cleared.
options:
  state:
    description: >-
      C(check) only refuses a machine on which C(up) cannot work, C(up) boots hosts, C(off) cuts their power, C(absent)
      cuts it and removes network and disks.
    type: str
    choices: [check, up, 'off', absent]
    required: true
  folder:
    description: Where the lab keeps disks, keys and logs.
    type: path
    required: true
  hosts:
    description: All hosts of the lab, each with C(name), C(ipv4) and C(ipv6).
    type: list
    elements: dict
    required: true
  names:
    description: The hosts to work on; empty means all.
    type: list
    elements: str
    default: []
  gateways:
    description: The bridge's addresses, C(ipv4) and C(ipv6).
    type: dict
    required: true
  memory_mb:
    description: Memory of each host in MiB.
    type: int
    default: 3072
  kernel:
    description: The user-mode kernel.
    type: path
  image:
    description: The disk image that all hosts start from.
    type: path
  balancer:
    description: >-
      The program that shares processors among hosts (C(module_utils/lab/cpu_balancer.py)); without it every host stays
      on the one that it was started on.
    type: path
  client_key:
    description: Path of the controller's private key, made when it is missing.
    type: path
  known_hosts:
    description: Where the hosts' public keys are written.
    type: path
  figures:
    description: Where the seconds of the boot are written.
    type: path
  timeout:
    description: Longest wait for SSH in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: partial
    details: Disks that O(state=absent) would remove count only with a running host.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Boot the lab
  twinstack.core.lab:
    state: up
    folder: ~/.cache/twinstack/lab
    hosts: [{name: cp1, ipv4: 10.66.0.11, ipv6: "fd66::11"}]
    gateways: {ipv4: 10.66.0.1, ipv6: "fd66::1"}
    kernel: /path/of/linux
    image: /path/of/base.ext4
    client_key: ~/.cache/twinstack/lab/keys/client
"""

RETURN = r"""
hosts:
  description: Names of the hosts that were started or stopped.
  returned: success
  type: list
  elements: str
seconds:
  description: Seconds until SSH answered on all of them in both families.
  returned: for state up
  type: float
"""

import shutil
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.lab import hosts as engine


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["check", "up", "off", "absent"], "required": True},
            "folder": {"type": "path", "required": True},
            "hosts": {"type": "list", "elements": "dict", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "gateways": {"type": "dict", "required": True},
            "memory_mb": {"type": "int", "default": 3072},
            "kernel": {"type": "path"},
            "image": {"type": "path"},
            "balancer": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "known_hosts": {"type": "path"},
            "figures": {"type": "path"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    lab = engine.Lab(
        folder=Path(wanted["folder"]),
        hosts=tuple(engine.Host(item["name"], item["ipv4"], item["ipv6"]) for item in wanted["hosts"]),
        gateway_ipv4=wanted["gateways"]["ipv4"],
        gateway_ipv6=wanted["gateways"]["ipv6"],
        memory_mb=wanted["memory_mb"],
        kernel=Path(wanted["kernel"]) if wanted["kernel"] else None,
        image=Path(wanted["image"]) if wanted["image"] else None,
        balancer=Path(wanted["balancer"]) if wanted["balancer"] else None,
    )
    names = wanted["names"] or [host.name for host in lab.hosts]
    unknown = sorted(set(names) - {host.name for host in lab.hosts})
    if unknown:
        module.fail_json(msg=f"names: found {', '.join(unknown)}, expected hosts of the inventory")
    try:
        if wanted["state"] == "check":
            with engine.locked(lab):
                engine.check(lab, len(set(names) - set(engine.running(lab))))
            module.exit_json(changed=False, hosts=[])
        if module.check_mode:
            up = set(engine.running(lab))
            todo = sorted(set(names) - up if wanted["state"] == "up" else set(names) & up)
            module.exit_json(changed=bool(todo), hosts=todo)
        with engine.locked(lab):
            if wanted["state"] == "up":
                began = time.monotonic()
                Path(wanted["known_hosts"]).write_text(engine.known_hosts(lab), encoding="utf-8")
                started = engine.start(lab, names, Path(wanted["client_key"]))
                engine.wait_for_ssh(lab, names, wanted["timeout"])
                seconds = round(time.monotonic() - began, 1)
                if started:
                    engine.write_state(Path(wanted["figures"]), {"hosts": started, "seconds_to_ssh": seconds})
                module.exit_json(changed=bool(started), hosts=started, seconds=seconds)
            stopped = engine.power_off(lab, names)
            removed = False
            if wanted["state"] == "absent":
                engine.remove_network()
                removed = (lab.folder / "disks").exists()
                shutil.rmtree(lab.folder / "disks", ignore_errors=True)
            module.exit_json(changed=bool(stopped) or removed, hosts=stopped)
    except engine.LabError as error:
        module.fail_json(msg=f"The lab refuses:\n{error}")


if __name__ == "__main__":
    main()
