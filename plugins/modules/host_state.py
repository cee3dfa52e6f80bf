#!/usr/bin/python
# Apache-2.0
"""Bring one host to a wanted state in one SSH execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Bring a host's packages, files, kernel settings and units to a wanted state in one round trip
version_added: 0.1.0
description:
  - Templates are rendered on the controller by the action plugin of the same name; the module compares and writes
    what differs. One SSH execution, whatever the number of files.
  - What was there before the first change is kept in C(/etc/twinstack/host.json), which M(twinstack.core.host_reset)
    undoes.
  - The order is packages, files, kernel modules, sysctls, swap, units.
options:
  cluster:
    description: Name of the cluster that the host is to be part of, kept in the host's record.
    type: str
    default: ""
  packages:
    description: Debian packages that must be installed. Each has C(package), C(version) and C(file), the name of its
      .deb file in O(package_archive). An installed package is left alone whatever its version.
    type: list
    elements: dict
    default: []
  package_archive:
    description: Path on the host of a tar archive with the .deb files.
    type: str
    default: ""
  files:
    description: Paths and what should be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path on the host.
        type: str
        required: true
      state:
        description: What should be there. A C(link) points at O(files[].content).
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description: Text of the file or target of the link.
        type: str
        default: ""
      template:
        description: A template of the role, rendered on the controller; instead of O(files[].content).
        type: str
      mode:
        description: Octal mode. Directories default to C(0755), files to C(0644).
        type: str
      owner:
        description: Owner by name.
        type: str
        default: root
      group:
        description: Group by name.
        type: str
        default: root
      block:
        description: Only the lines between two markers of this name are managed; the rest of the file stays.
        type: str
        default: ""
      secret:
        description: The content must not appear in a diff.
        type: bool
        default: false
  modules:
    description: Kernel modules that must be loaded or built in.
    type: list
    elements: str
    default: []
  sysctls:
    description: Runtime values by key. Boot-time values are a file of O(files).
    type: dict
    default: {}
  swap_off:
    description: Turn swap off, now and in C(/etc/fstab).
    type: bool
    default: false
  units:
    description: systemd units.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix, such as C(containerd.service).
        type: str
        required: true
      enabled:
        description: Started at boot.
        type: bool
        default: true
      running:
        description: Running now. When false the unit is neither started nor stopped.
        type: bool
        default: true
      running_if:
        description: A path. Where it is there, the unit runs although O(units[].running) is false.
        type: str
        default: ""
      watch:
        description: Paths whose change since the unit's last start by this module restarts it.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Every step, without the content of secret files.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Configure containerd
  twinstack.core.host_state:
    files:
      - path: /etc/containerd/config.toml
        template: etc/containerd/config.toml.j2
    units:
      - name: containerd.service
        watch:
          - /etc/containerd/config.toml
"""

RETURN = r"""
steps:
  description: What was, or in check mode would be, changed.
  returned: always
  type: list
  elements: str
  sample: ["file /etc/containerd/config.toml", "unit containerd.service restarted"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host.state.command import HostStateError
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState, FileSpec, UnitSpec
from ansible_collections.twinstack.core.plugins.module_utils.host.state.reconcile import reconcile


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "default": ""},
            "packages": {"type": "list", "elements": "dict", "default": []},
            "package_archive": {"type": "str", "default": ""},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "state": {"type": "str", "default": "file", "choices": ["file", "directory", "link", "absent"]},
                    "content": {"type": "str", "default": ""},
                    "template": {"type": "str"},
                    "mode": {"type": "str"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "block": {"type": "str", "default": ""},
                    "secret": {"type": "bool", "default": False, "no_log": False},
                },
            },
            "modules": {"type": "list", "elements": "str", "default": []},
            "sysctls": {"type": "dict", "default": {}},
            "swap_off": {"type": "bool", "default": False},
            "units": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "enabled": {"type": "bool", "default": True},
                    "running": {"type": "bool", "default": True},
                    "running_if": {"type": "str", "default": ""},
                    "watch": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    wanted = module.params
    files = []
    for item in wanted["files"]:
        default_mode = "0755" if item["state"] == "directory" else "0644"
        values = {key: item[key] for key in ("path", "state", "content", "owner", "group", "block", "secret")}
        files.append(FileSpec(mode=int(item["mode"] or default_mode, 8), **values))
    desired = DesiredState(
        cluster=wanted["cluster"],
        packages=wanted["packages"],
        package_archive=wanted["package_archive"],
        files=files,
        modules=wanted["modules"],
        sysctls={key: str(value) for key, value in wanted["sysctls"].items()},
        swap_off=wanted["swap_off"],
        units=[UnitSpec(**{**unit, "watch": tuple(unit["watch"])}) for unit in wanted["units"]],
    )
    try:
        steps = reconcile(desired, module.check_mode)
    except (HostStateError, ValueError, KeyError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(steps),
        steps=[f"{step.kind} {step.name}" for step in steps],
        diff=[
            {"before_header": f"{step.kind} {step.name}", "before": step.before, "after": step.after}
            | {"after_header": f"{step.kind} {step.name}"}
            for step in steps
        ],
    )


if __name__ == "__main__":
    main()
