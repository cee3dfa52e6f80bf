"""Controller half of artifacts: finds out what is missing, sends it, has it verified."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.module_utils.host import artifacts as artifact_store
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import note_host

MODULE = "twinstack.core.artifacts"


class ActionModule(ActionBase):
    """One round trip when the host lacks nothing."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; the result is the module's with the package sets added."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        bin_dir = arguments.get("bin_dir", "/usr/local/bin")
        try:
            artifacts = bundle_index.read(Path(os.path.expanduser(str(arguments["bundle"]))))
        except bundle_index.BundleIndexError as error:
            raise AnsibleActionFail(str(error)) from error
        needed = bundle_index.for_groups(artifacts, list(arguments["groups"]), ["binary", "package_set"])
        wanted = [
            {
                "name": artifact["name"],
                "sha256": artifact["sha256"],
                "size": artifact["size"],
                "link": f"{bin_dir}/{artifact['file']}" if artifact["kind"] == "binary" else "",
                "packed": "packed" in artifact,
            }
            for artifact in needed
        ]
        store = str(arguments.get("store", artifact_store.STORE))
        wanted_args = {"wanted": wanted, "store": store}
        found = self._module(wanted_args, task_vars)
        if found.get("missing") and not found.get("failed") and not self._task.check_mode:
            found = self._send(needed, wanted_args, set(found["missing"]), task_vars)
        result.update(found)
        result["package_sets"] = {
            artifact["name"]: {
                "archive": f"{store}/{artifact['sha256']}",
                "packages": artifact["packages"],
            }
            for artifact in needed
            if artifact["kind"] == "package_set"
        }
        note_host(self, task_vars, result)
        return result

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """One execution of the module on the host."""
        found: dict[str, Any] = self._execute_module(
            module_name=MODULE, module_args=arguments, task_vars=task_vars or {}
        )
        return found

    def _send(
        self,
        needed: list[dict[str, Any]],
        wanted_args: dict[str, Any],
        missing: set[str],
        task_vars: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Send the missing files in one archive to a fresh folder of the SSH user and have the module take them."""
        folder = self._make_tmp_path()
        try:
            with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
                with tarfile.open(archive.name, "w") as tar:
                    for artifact in needed:
                        if artifact["name"] in missing:
                            tar.add(artifact.get("packed", artifact["path"]), artifact["sha256"])
                remote = self._connection._shell.join_path(folder, "artifacts.tar")
                self._connection.put_file(archive.name, remote)
            return self._module(wanted_args | {"staged": remote}, task_vars)
        finally:
            self._remove_tmp_path(folder)
