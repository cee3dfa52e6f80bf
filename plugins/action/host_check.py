"""Judge the probes of all hosts at once, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.twinstack.core.plugins.module_utils.families import FAMILY_KEYS
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, Where, errors
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import files, reader
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.cluster_settings import parse_cluster
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
                "beside": {"type": "dict", "default": {}},
                "cluster": {"type": "str", "required": True},
                "cluster_settings": {"type": "dict", "required": True},
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
        names, beside = arguments.pop("hosts"), arguments.pop("beside")
        registered = {kind: arguments.pop(kind) for kind in ("host_probe", "peer_probe")}
        try:
            desired = parse_cluster(arguments.pop("cluster_settings"))
        except (KeyError, ValueError) as error:
            raise AnsibleActionFail(f"cluster_settings: {error}. Try: playbooks/validate.yml") from error
        settings = Settings(**arguments, desired=desired, where=self._where(task_vars or {}))
        hosts, findings = [], []
        for name in names:
            variables = all_vars[name]
            probe = variables.get(registered["host_probe"], {})
            peers = variables.get(registered["peer_probe"], {})
            if "probe" not in probe or "peers" not in peers:
                hint = f"ansible -m ansible.builtin.ping {name}"
                findings.append(Finding(name, "probe", "no result", "a host that answers over SSH", hint))
                continue
            hosts.append(_host(name, variables, probe["probe"], peers))
        others = [_host(name, all_vars[name], probe, {}) for name, probe in beside.items() if probe]
        findings = merged(findings + check_hosts(hosts, settings, others))
        result["changed"] = False
        if errors(findings):
            return result | refused(findings, "to touch any host")
        result["findings"] = [finding.as_dict() for finding in findings]
        result["warnings"] = [finding.line() for finding in findings]
        return result

    def _where(self, variables: dict[str, Any]) -> Where:
        """The file of the inventory that sets a variable. It is looked for when the first finding asks for it."""

        @cache
        def inventory() -> Inventory:
            scan = files.scan([Path(source) for source in variables.get("ansible_inventory_sources") or ()])
            return Inventory({}, {}, {}, variables=reader.placed(scan, load_extra_vars(self._loader)))

        return lambda name: inventory().where(name)


def _host(name: str, variables: Mapping[str, Any], probe: Mapping[str, Any], peers: Mapping[str, Any]) -> Host:
    """A host with its addresses in both families."""
    return Host(name, {family: str(variables[family]) for family in FAMILY_KEYS}, probe, peers)
