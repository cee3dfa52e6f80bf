"""Controller half of host_state: renders every template, then makes one round trip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import note_host


class ActionModule(ActionBase):
    """Render the templates of all files on the controller and hand the texts to the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; the result is the module's."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments["files"] = [self._rendered(dict(item), task_vars or {}) for item in arguments.get("files", [])]
        result.update(
            self._execute_module(
                module_name="twinstack.core.host_state", module_args=arguments, task_vars=task_vars or {}
            )
        )
        note_host(self, task_vars, result)
        return result

    def _rendered(self, item: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The file with its template replaced by the rendered text."""
        name = item.pop("template", None)
        if name is None:
            return item
        if "content" in item:
            raise AnsibleActionFail(f"files: {item.get('path')}: found both content and template, expected one of them")
        path = Path(self._find_needle("templates", name))
        text = trust_as_template(path.read_text(encoding="utf-8"))
        templar = self._templar.copy_with_new_env(searchpath=[str(path.parent)], available_variables=task_vars)
        item["content"] = templar.template(text)
        return item
