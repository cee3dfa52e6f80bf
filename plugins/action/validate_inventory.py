"""Judge the inventory on the controller, before any host is contacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.twinstack.core.plugins.module_utils.findings import errors, summary
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import reader
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.run import settings


class ActionModule(ActionBase):
    """Read the whole inventory and refuse with all findings in one list."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; see the documentation of the validate_inventory module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        sources = [Path(source) for source in variables.get("ansible_inventory_sources") or ()]
        unread = settings.unread(sources, constants.config.get_config_value("INVENTORY_IGNORE_PATTERNS") or ())
        if errors(unread):  # what else is found then is no inventory of anybody's
            return {**result, "failed": True, "msg": summary(unread, "1 reason not to contact any host")}
        rules = inventory_rules.load_rules()
        inventory = reader.read(
            hostvars=variables["hostvars"],
            groups=variables["groups"],
            templar=self._templar,
            sources=sources,
            command_line=load_extra_vars(self._loader),
            declared=rules.declared,
        )
        callbacks = {constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK"), *constants.CALLBACKS_ENABLED}
        findings = [*inventory_rules.check(inventory, rules), *settings.missing(callbacks), *unread]
        wrong = errors(findings)
        result["changed"] = False
        if wrong:
            result["failed"] = True
            count = "1 reason" if len(wrong) == 1 else f"{len(wrong)} reasons"
            result["msg"] = summary(findings, f"{count} not to contact any host")
            return result
        result["findings"] = [finding.as_dict() for finding in findings]
        result["warnings"] = [finding.line() for finding in findings]
        return result
