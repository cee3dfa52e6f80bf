"""Controller half of images: compares digests, sends the archive of the host's group only when one is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import note_host

MODULE = "twinstack.core.images"


class ActionModule(ActionBase):
    """One round trip when the host lacks nothing; none when an earlier look of the same run has shown it."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; the result is the module's."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        try:
            artifacts = bundle_index.read(Path(os.path.expanduser(str(arguments["bundle"]))))
        except bundle_index.BundleIndexError as error:
            raise AnsibleActionFail(str(error)) from error
        name = f"images-{str(arguments['group']).replace('_', '-')}"
        if name not in artifacts:
            raise AnsibleActionFail(
                f"bundle.json: found no artifact {name}. Try: ansible-playbook playbooks/bundle.yml"
            )
        image_set = artifacts[name]
        wanted = {image["name"]: image["digest"] for image in image_set["images"]}
        known = arguments.get("known") or {}
        if not arguments.get("wait", False) and not image_store.lacking(wanted, known):
            result.update(changed=False, lacking=[], damaged=[], running=False, present=known)
            return result
        sets = [artifact for artifact in artifacts.values() if artifact["kind"] == "image_set"]
        offered = {image["name"]: image["digest"] for one in sets for image in one["images"]}
        others = {image["name"] for one in sets if one is not image_set for image in one["images"]}
        sent = {"group": arguments["group"], "wanted": wanted, "offered": offered | wanted}
        sent |= {"exclusive": sorted(set(wanted) - others)}
        sent |= {"wait": arguments.get("wait", False), "timeout": arguments.get("timeout", 300)}
        sent |= {"recreate_store": arguments.get("recreate_store", False)}
        found = self._module(sent, task_vars)
        if found.get("recreate"):
            self._tell_loss(found, task_vars or {})
        needs_archive = found.get("lacking") and not found.get("running") and not found.get("failed")
        if needs_archive and not self._task.check_mode:
            folder = self._make_tmp_path()
            try:
                archive = self._connection._shell.join_path(folder, "images.tar")
                self._connection.put_file(image_set["path"], archive)
                files = {image["digest"]: image["files"] for image in image_set["images"]}
                sent |= {"archive": archive, "sha256": image_set["sha256"], "files": files}
                found = self._module(sent, task_vars)
            finally:
                self._remove_tmp_path(folder)
        result.update(found)
        note_host(self, task_vars, result)
        return result

    def _tell_loss(self, found: dict[str, Any], task_vars: dict[str, Any]) -> None:
        """Before the host's store is emptied: why, and which images nobody brings back."""
        lost = ", ".join(found.get("foreign", [])) or "none"
        Display().warning(
            f"{task_vars.get('inventory_hostname', '')}: containerd's store is recreated ({found['recreate']}); "
            f"images in it that are not of the bundle, which are lost: {lost}"
        )

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """One execution of the module on the host."""
        found: dict[str, Any] = self._execute_module(
            module_name=MODULE, module_args=arguments, task_vars=task_vars or {}
        )
        return found
