"""Makes, on the controller, the certificates of gateways whose tenants name none of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates


class ActionModule(ActionBase):
    """Keys stay in their files: nothing of them is in what it returns."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        folder = Path(str(arguments["dest"])).expanduser()
        wanted = arguments.get("certificates") or {}
        made: list[str] = []
        now, write = certificates.today(), not self._task.check_mode
        named = [Path(str(path)) for path in arguments.get("keep") or []]
        # An authority that no gateway needs is neither created nor renewed.
        authority, changed = certificates.ensure_authority(
            folder, str(arguments["authority"]), now, write and bool(wanted)
        )
        if wanted:
            made += ["ca"] if changed else []
            try:
                made += [
                    name
                    for name, hosts in sorted(wanted.items())
                    if certificates.ensure_certificate(authority, folder, name, hosts, now, write)
                ]
            except ValueError as error:
                raise AnsibleActionFail(f"certificates: {error}") from error
        remove = boolean(arguments.get("remove", True))
        removed = certificates.forget(authority, folder, wanted, named, write) if remove else []
        summary = {"made": made, "removed": removed, "authority": str(folder / "ca.crt")}
        return result | summary | {"changed": bool(made or removed)}
