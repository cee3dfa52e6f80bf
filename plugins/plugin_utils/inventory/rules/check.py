"""What an inventory must be, judged as a whole before any host is contacted: every error at once.

Pure functions over plain data: inventory/reader.py makes the data, action validate_inventory shows the findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory, nodes
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.role_options import Declared
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import hosts as host_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import mesh as mesh_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import networks as network_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import observability as observability_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import scenarios as scenario_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import settings as setting_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenants as tenant_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import variables as variable_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.renamed import RENAMED


@dataclass(frozen=True)
class Rules:
    """What the inventory is compared with. renamed: new names of variables by their old ones."""

    declared: Declared
    pairs: tuple[versions.Pair, ...]
    mesh_pairs: tuple[versions.Pair, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=lambda: RENAMED)


def load_rules() -> Rules:
    """The rules of this collection, from its roles, its bundle and its table of versions."""
    return Rules(role_options.load(), *versions.tested(bundle_versions.of_cluster(), bundle_versions.of_all()["istio"]))


def check(inventory: Inventory, rules: Rules) -> list[Finding]:
    """Everything that is wrong with the inventory, and warnings, in stable order."""
    findings = [
        *variable_rules.check_names(inventory, rules.declared, rules.renamed),
        *variable_rules.check_files(inventory),
        *variable_rules.check_values(inventory, rules.declared),
    ]
    settings = variable_rules.usable(inventory, rules.declared)
    networks, network_findings = network_rules.networks(inventory, settings)
    addresses, address_findings = host_rules.addresses(inventory)
    findings += network_findings + address_findings
    findings += host_rules.check_groups(inventory)
    findings += host_rules.check_names(inventory)
    findings += host_rules.check_connections(inventory)
    findings += network_rules.check_overlaps(inventory, networks, addresses)
    findings += network_rules.check_pools(inventory, settings, networks, len(nodes(inventory)))
    findings += network_rules.check_services(inventory, networks)
    findings += setting_rules.check_numbers(inventory, settings)
    findings += setting_rules.check_dns_names(inventory, settings)
    findings += setting_rules.check_versions(inventory, settings, rules.pairs, rules.mesh_pairs)
    findings += mesh_rules.check_mesh(settings, inventory.where)
    findings += tenant_rules.check_tenants(settings, rules.declared.defaults, inventory.where)
    findings += observability_rules.check_observability(settings, rules.declared.defaults, inventory.where)
    if not any(finding.field.startswith(tenant_rules.TENANTS) for finding in findings):
        findings += scenario_rules.check_scenarios(settings, inventory.where)
    return sorted(set(findings))
