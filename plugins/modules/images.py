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
  - The first look after a boot reads every image's content. Damaged images are imported again one by one. Kubelet
    stops until they are there, and the containers that use them start anew; all others run on.
  - An image that cannot be mounted, or not be replaced alone, is an error. O(recreate_store=true) has containerd's
    whole store emptied and filled again then.
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
  recreate_store:
    description:
      - Empty containerd's store where a damaged image cannot be replaced alone or one cannot be mounted. All pods of
        the host stop and start anew, and the images in RV(foreign) are lost. For groups of a host itself only.
    type: bool
    default: false
  wanted:
    description: Filled in by the action plugin, digest by image name.
    type: dict
  exclusive:
    description: Filled in by the action plugin, names of the wanted images that no other group has.
    type: list
    elements: str
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
  description: Images in containerd's list whose content is not what its hashes say. Those of this group are imported
    again, the others with their own group.
  returned: when not waiting
  type: list
  elements: str
restarted:
  description: Pods and containers that run damaged images and start anew for their replacement.
  returned: when not waiting
  type: list
  elements: str
recreate:
  description: Why containerd's whole store is emptied, or in check mode would be; empty when it is not.
  returned: when not waiting
  type: str
foreign:
  description: Images in the store that are not of the bundle, where it is to be emptied.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import artifacts as artifact_store
from ansible_collections.twinstack.core.plugins.module_utils.host.images import content as image_content
from ansible_collections.twinstack.core.plugins.module_utils.host.images import repair
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.module_utils.host.reason import refusal
from ansible_collections.twinstack.core.plugins.module_utils.host.state import command as host_command


@dataclass
class Found:
    """What a look at the host has shown.

    imports: units at work. damage: by image. plan: how those of the group are replaced. recreate: why the whole store
    is to be emptied, or empty. foreign: images that are lost then.
    """

    present: dict[str, str]
    imports: list[str] = field(default_factory=list)
    damage: dict[str, image_content.Damage] = field(default_factory=dict)
    plan: repair.Plan = field(default_factory=repair.Plan)
    recreate: str = ""
    foreign: list[str] = field(default_factory=list)


def look(module: AnsibleModule, group: str, wanted: Mapping[str, str]) -> Found:
    """Look at what is there and judge it; ends the module with all reasons where it must not go on."""
    offered = {**(module.params["offered"] or {}), **wanted}
    own = group in image_store.OWN_GROUPS
    found = Found(image_store.present(offered), image_store.running())
    # The host's own images come first and judge all. Of another group only what none else brings can be judged beside
    # their imports, and replaced when they have ended.
    alone = {name: digest for name, digest in found.present.items() if name in (module.params["exclusive"] or [])}
    if found.imports and image_store.unit(group) not in found.imports and image_content.unseen(alone):
        image_store.wait_for_imports(module.params["timeout"])
        found = Found(image_store.present(offered))
    if found.imports:
        return found
    judged = {name: digest for name, digest in found.present.items() if own or name in wanted}
    found.damage, unmountable = image_content.judge(judged)
    reasons = dict(unmountable)
    if found.damage:
        reasons |= repair.look(found.damage, found.present).reasons
        mended = {name: one for name, one in found.damage.items() if name in wanted}
        found.plan = repair.look(mended, found.present)
    if not reasons:
        return found
    found.foreign = repair.foreign_images(offered)
    if not (own and module.params["recreate_store"]):
        why = repair.refused(unmountable, reasons, found.foreign)
        module.fail_json(msg=refusal(why, "to bring images"), foreign=found.foreign, damaged=sorted(found.damage))
    found.recreate = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    return found


def wait(module: AnsibleModule, group: str, wanted: dict[str, str]) -> None:
    """Wait for the group's import, and judge what nobody has seen whole since: images that replace damaged ones."""
    lacking = image_store.wait_import(group, wanted, module.params["timeout"])
    if lacking:
        module.fail_json(msg=f"after the import these images are still missing: {', '.join(lacking)}")
    damage, unmountable = image_content.judge(wanted)
    if damage or unmountable:
        still = dict.fromkeys(damage, "damage, still after it was imported again")
        foreign = repair.foreign_images(module.params["offered"] or wanted)
        why = repair.refused(unmountable, {**still, **unmountable}, foreign, again=True)
        module.fail_json(msg=refusal(why, "to use the images"), damaged=sorted(damage))
    module.exit_json(changed=False, lacking=[], running=False)


def keep(module: AnsibleModule, archive: str, others: bool) -> str:
    """Verify the archive that was sent and move it out of the SSH user's folder, which goes away with this task.

    others: imports are at work, whose archives stay. Else what lies there is of one that the host's end has cut off.
    """
    found = artifact_store.file_sha256(archive)
    if found != module.params["sha256"]:
        module.fail_json(msg=f"{archive}: sha256: found {found}, expected {module.params['sha256']}")
    os.makedirs(image_store.ARCHIVE_FOLDER, mode=0o700, exist_ok=True)
    for left in [] if others else glob.glob(os.path.join(image_store.ARCHIVE_FOLDER, "*.tar")):
        os.unlink(left)
    kept = os.path.join(image_store.ARCHIVE_FOLDER, f"{found}.tar")
    shutil.move(archive, kept)
    os.chown(kept, 0, 0)
    return kept


def bring(module: AnsibleModule, group: str, wanted: dict[str, str]) -> dict[str, Any]:
    """Find out what is lacking and, once the archive was sent, start its import; the module's result."""
    found = look(module, group, wanted)
    running = image_store.unit(group) in found.imports
    whole = {} if found.recreate else {name: d for name, d in found.present.items() if name not in found.damage}
    lacking = image_store.lacking(wanted, whole)
    if module.params["archive"] and lacking and not running:
        kept = keep(module, module.params["archive"], bool(found.imports))
        again = [wanted[name] for name in found.plan.images]
        if found.recreate:
            repair.empty_store()
        elif again:
            repair.remove(found.plan)
        image_store.start_import(kept, group, module.params["files"], again)
        running = True
    restarted = [] if found.recreate else found.plan.restarted()
    names = [f"{name} (damaged)" if name in found.damage else name for name in lacking]
    names += [f"{name} (its container starts anew)" for name in restarted]
    names += [f"containerd's whole store: {found.recreate}"] if found.recreate else []
    later = sorted(set(found.damage) - set(lacking))
    if later:
        module.warn(f"images: found {', '.join(later)} damaged; they are imported again with their own group")
    result: dict[str, Any] = {
        "changed": bool(lacking),
        "lacking": lacking,
        "damaged": sorted(found.damage),
        "restarted": restarted,
        "recreate": found.recreate,
        "foreign": found.foreign,
        "running": running,
        "present": {} if found.damage or found.recreate or running or found.imports else found.present,
    }
    after = "".join(f"{name}\n" for name in names)
    result["diff"] = {"before_header": "images", "after_header": "images", "before": "", "after": after}
    return result


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "path"},
            "group": {"type": "str", "required": True},
            "wait": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 300},
            "recreate_store": {"type": "bool", "default": False},
            "known": {"type": "dict"},
            "wanted": {"type": "dict"},
            "offered": {"type": "dict"},
            "exclusive": {"type": "list", "elements": "str"},
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
            wait(module, group, wanted)
        module.exit_json(**bring(module, group, wanted))
    except (image_store.ImageStoreError, host_command.HostStateError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
