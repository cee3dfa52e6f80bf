#!/usr/bin/python
# Apache-2.0
"""Put the bundle's binaries and package sets on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Put artifacts of the bundle on a host, each verified by its sha256
version_added: 0.1.0
description:
  - The action plugin of the same name reads C(bundle.json) on the controller, learns from the host in one trip what it
    lacks, sends only that, and has every file verified before it is used.
  - Files lie in C(/opt/twinstack/store) under their sha256; binaries get a link in C(/usr/local/bin).
options:
  bundle:
    description: Folder on the controller with C(bundle.json).
    type: path
  groups:
    description: Groups of hosts, in the bundle's words (C(control_plane), C(worker)), whose artifacts this host needs.
    type: list
    elements: str
  bin_dir:
    description: Folder of the links to binaries.
    type: path
    default: /usr/local/bin
  store:
    description: Folder of the files themselves.
    type: path
    default: /opt/twinstack/store
  wanted:
    description: Filled in by the action plugin.
    type: list
    elements: dict
  staged:
    description: Filled in by the action plugin, the folder that the files were sent to.
    type: path
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names of the artifacts that come.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Send what this host lacks
  twinstack.core.artifacts:
    bundle: "{{ twinstack_artifacts_dir }}"
    groups: [worker]
  register: __hosts_artifacts
"""

RETURN = r"""
missing:
  description: Names of the artifacts that the host did not hold.
  returned: always
  type: list
  elements: str
package_sets:
  description: Package sets by name, each with C(archive) (path on the host) and C(packages).
  returned: always
  type: dict
"""

import tarfile
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import artifacts as artifact_store


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "path"},
            "groups": {"type": "list", "elements": "str"},
            "bin_dir": {"type": "path", "default": "/usr/local/bin"},
            "store": {"type": "path", "default": artifact_store.STORE},
            "wanted": {"type": "list", "elements": "dict"},
            "staged": {"type": "path"},
        },
        supports_check_mode=True,
    )
    wanted = artifact_store.parse(module.params["wanted"] or [])
    store = module.params["store"]
    missing = artifact_store.missing(wanted, store)
    links = artifact_store.wrong_links(wanted, store)
    names = sorted({item.name for item in missing})
    if module.check_mode or (missing and not module.params["staged"]):
        # Nothing has been sent yet: say what is lacking, the action plugin comes back with the files.
        changes = sorted({item.name for item in [*missing, *links]})
        module.exit_json(changed=bool(changes), missing=names, diff=diff(changes))
    try:
        if missing:
            with tarfile.open(module.params["staged"]) as archive:
                for item in missing:
                    artifact_store.take(archive, item, store)
            artifact_store.trust(missing, store)
        for item in links:
            artifact_store.link(item, store)
    except (OSError, ValueError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        module.fail_json(msg=str(error), missing=names)
    changes = sorted({item.name for item in [*missing, *links]})
    module.exit_json(changed=bool(changes), missing=names, diff=diff(changes))


def diff(names: list[str]) -> list[dict[str, str]]:
    """What --diff shows: the names of the artifacts that come."""
    if not names:
        return []
    return [{"before_header": "artifacts", "after_header": "artifacts", "before": "", "after": "\n".join(names) + "\n"}]


if __name__ == "__main__":
    main()
