"""Judge the probes of all hosts at once, on the controller."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, errors
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.check import check_hosts, merged
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight.model import Host, Settings
from ansible_collections.twinstack.core.plugins.plugin_utils.run.refusal import refused


class ActionModule(ActionBase):
    """Collect the registered probe results of all hosts and refuse with all findings in one list."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; see the documentation of the host_check module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "list", "elements": "str", "required": True},
                "control_plane": {"type": "list", "elements": "str", "required": True},
                "host_probe": {"type": "str", "required": True},
                "peer_probe": {"type": "str", "required": True},
                "cluster": {"type": "str", "required": True},
                "systems": {"type": "dict", "required": True},
                "api_port": {"type": "int", "required": True},
                "mtu": {"type": "int", "required": True},
                "proxy_mode": {"type": "str", "required": True},
                "encapsulation": {"type": "str", "required": True},
                "cidrs": {"type": "dict", "required": True},
                "min_cpus": {"type": "int", "required": True},
                "min_memory_mb": {"type": "int", "required": True},
                "min_disk_gb": {"type": "float", "required": True},
                "cgroup_controllers": {"type": "list", "elements": "str", "required": True},
                "max_clock_offset_seconds": {"type": "float", "required": True},
                "swap_is_turned_off": {"type": "bool", "required": True},
                "metrics_host": {"type": "str", "default": ""},
                "metrics_size": {"type": "str", "default": ""},
                "foreign_firewall": {"type": "str", "choices": ["refuse", "warn"], "required": True},
            }
        )
        all_vars = (task_vars or {})["hostvars"]
        names = arguments.pop("hosts")
        registered = {kind: arguments.pop(kind) for kind in ("host_probe", "peer_probe")}
        settings = Settings(**arguments)
        hosts, findings = [], []
        for name in names:
            variables = all_vars[name]
            probe = variables.get(registered["host_probe"], {})
            peers = variables.get(registered["peer_probe"], {})
            if "probe" not in probe or "peers" not in peers:
                hint = f"ansible -m ansible.builtin.ping {name}"
                findings.append(Finding(name, "probe", "no result", "a host that answers over SSH", hint))
                continue
            addresses = {family: str(variables[family]) for family in FAMILY_KEYS}
            hosts.append(Host(name, addresses, probe["probe"], peers))
        findings = merged(findings + check_hosts(hosts, settings))
        result["changed"] = False
        if errors(findings):
            return result | refused(findings, "to touch any host")
        result["findings"] = [finding.as_dict() for finding in findings]
        result["warnings"] = [finding.line() for finding in findings]
        return result
