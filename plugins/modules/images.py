#!/usr/bin/python
# Apache-2.0
"""Bring the bundle's images into a host's containerd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: images
short_description: Bring images of the bundle into containerd, in the background
version_added: 0.1.0
description:
  - The action plugin of the same name compares image digests in one round trip. Only a host that lacks an image gets
    its group's archive, and imports it in a transient systemd unit, so that other work goes on beside it.
  - The first look after a boot reads every image's content. When one is damaged, containerd's store is emptied and
    filled again; kubelet and all pods of the host are stopped for it.
  - With O(wait=true) the module waits for that import and fails when an image is still missing.
options:
  bundle:
    description: Folder on the controller with C(bundle.json).
    type: path
  group:
    description: Whose image set this host needs, a group in the bundle's words.
    type: str
    required: true
  wait:
    description: Wait for a running import instead of starting one.
    type: bool
    default: false
  timeout:
    description: Longest wait in seconds.
    type: int
    default: 300
  known:
    description:
      - What an earlier task of the same run returned as RV(present), digest by image name. When it holds all that is
        wanted, the host is not queried again.
    type: dict
  wanted:
    description: Filled in by the action plugin, digest by image name.
    type: dict
  offered:
    description: Filled in by the action plugin, digest by name of every image in the bundle.
    type: dict
  archive:
    description: Filled in by the action plugin, path on the host of the archive that was sent.
    type: path
  sha256:
    description: Filled in by the action plugin, hash of the archive.
    type: str
  files:
    description: Filled in by the action plugin, number and summed size of the files of each image, by its digest.
    type: dict
attributes:
  check_mode:
    support: partial
    details: With O(wait=true) it fails where an image is missing, as nothing has brought it.
  diff_mode:
    support: full
    details: Names of the images that come.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Start importing images
  twinstack.core.images:
    bundle: "{{ twinstack_artifacts_dir }}"
    group: worker
"""

RETURN = r"""
lacking:
  description: Images that the host did not hold.
  returned: always
  type: list
  elements: str
damaged:
  description: Images in containerd's list whose content a power cut has damaged. All are then imported again.
  returned: when not waiting
  type: list
  elements: str
running:
  description: The import of this group's images is under way, or waits for that of another.
  returned: always
  type: bool
present:
  description: Digest by name of those that the host held; none where some are damaged or still on their way.
  returned: when not waiting
  type: dict
"""

import glob
import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import artifacts as artifact_store
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import repair
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "path"},
            "group": {"type": "str", "required": True},
            "wait": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 300},
            "known": {"type": "dict"},
            "wanted": {"type": "dict"},
            "offered": {"type": "dict"},
            "files": {"type": "dict"},
            "archive": {"type": "path"},
            "sha256": {"type": "str"},
        },
        supports_check_mode=True,
    )
    group: str = module.params["group"]
    wanted: dict[str, str] = module.params["wanted"] or {}
    try:
        if module.params["wait"]:
            lacking = image_store.wait_import(group, wanted, module.params["timeout"])
            if lacking:
                module.fail_json(msg=f"after the import these images are still missing: {', '.join(lacking)}")
            module.exit_json(changed=False, lacking=[], running=False)
        imports = image_store.running()
        running = image_store.unit(group) in imports
        present = image_store.present(module.params["offered"] or wanted)
        # While an import is under way its images are not to be judged; what it brings is whole when it ends.
        damaged = [] if imports else image_content.damaged(present)
        lacking = image_store.lacking(wanted, {} if damaged else present)
        archive = module.params["archive"]
        if damaged and group not in image_store.OWN_GROUPS:
            module.fail_json(
                msg=f"images: found {', '.join(damaged)} damaged, as a power cut does; expected them whole. All of the "
                "host's have to be recreated. Try: ansible-playbook site.yml --tags containerd"
            )
        if archive and lacking and not running:
            found = artifact_store.file_sha256(archive)
            if found != module.params["sha256"]:
                module.fail_json(msg=f"{archive}: sha256: found {found}, expected {module.params['sha256']}")
            # Out of the SSH user's folder, which goes away with this task.
            os.makedirs(image_store.ARCHIVE_FOLDER, mode=0o700, exist_ok=True)
            for left in [] if imports else glob.glob(os.path.join(image_store.ARCHIVE_FOLDER, "*.tar")):
                os.unlink(left)  # of an import that the host's end has cut off
            kept = os.path.join(image_store.ARCHIVE_FOLDER, f"{found}.tar")
            shutil.move(archive, kept)
            os.chown(kept, 0, 0)
            if damaged:
                repair.empty_store()
            image_store.start_import(kept, group, module.params["files"])
            running = True
    except (image_store.ImageStoreError, host_command.HostStateError) as error:
        module.fail_json(msg=str(error))
    names = "".join(f"{name} (damaged)\n" if name in damaged else f"{name}\n" for name in lacking)
    module.exit_json(
        changed=bool(lacking),
        lacking=lacking,
        damaged=damaged,
        running=running,
        present={} if damaged or running or imports else present,
        diff={"before_header": "images", "after_header": "images", "before": "", "after": names},
    )


if __name__ == "__main__":
    main()
