"""Judge the inventory on the controller, before any host is contacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import reader
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.run import settings
from ansible_collections.twinstack.core.plugins.plugin_utils.run.refusal import refused


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
        left = self._left_by_earlier_releases(variables, sources)
        if left:  # what else is found then is no inventory of anybody's
            return result | refused(left, "to contact any host")
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
        findings = [*inventory_rules.check(inventory, rules), *settings.missing(callbacks)]
        result["changed"] = False
        if errors(findings):
            return result | refused(findings, "to contact any host")
        result["findings"] = [finding.as_dict() for finding in findings]
        result["warnings"] = [finding.line() for finding in findings]
        return result

    def _left_by_earlier_releases(self, variables: dict[str, Any], sources: list[Path]) -> list[Finding]:
        """What lies beside the inventory under a name of an earlier release, unless the inventory chose that name."""
        named = ("twinstack_artifacts_dir", "twinstack_secrets_dir", "ssh_known_hosts_file")
        chosen = [Path(self._templar.template(variables[name])) for name in named if name in variables]
        folders = sorted({source if source.is_dir() else source.parent for source in sources})
        return [found for folder in folders for found in settings.left_by_earlier_releases(folder, chosen)]
