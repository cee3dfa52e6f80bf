"""Collect the host keys of all hosts at once, on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.twinstack.core.plugins.plugin_utils.run.refusal import refused
from ansible_collections.twinstack.core.plugins.plugin_utils.ssh import host_keys


class ActionModule(ActionBase):
    """Collect every host's keys at all its addresses and compare them with a known_hosts file."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; see the documentation of the ssh_host_keys module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "list", "elements": "str", "required": True},
                "known_hosts": {"type": "path", "required": True},
                "timeout": {"type": "float", "default": 10.0},
            }
        )
        all_vars = (task_vars or {})["hostvars"]
        read = [host_keys.host_from_variables(name, all_vars[name]) for name in arguments["hosts"]]
        hosts = [host for host, _ in read]
        keys, findings = host_keys.collect_all(hosts, arguments["timeout"])
        findings = [finding for _, missing in read for finding in missing] + findings
        path = Path(arguments["known_hosts"])
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        comparison = host_keys.compare(hosts, keys, text)
        result |= {
            "changed": False,
            "findings": [finding.as_dict() for finding in findings],
            "table": host_keys.table(hosts, keys, comparison),
            "new": _fingerprints(comparison.new),
            "altered": _fingerprints(comparison.altered),
        }
        if findings:
            result |= refused(findings, "to trust these keys")
        else:
            result["content"] = comparison.content
        return result


def _fingerprints(keys: dict[str, list[host_keys.Key]]) -> dict[str, list[str]]:
    return {name: [f"{key.kind} {key.fingerprint()}" for key in listed] for name, listed in keys.items()}
