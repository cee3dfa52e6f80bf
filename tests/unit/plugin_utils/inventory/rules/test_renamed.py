"""Old names of variables: each one's new name, by the way in which it was renamed."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.files import Variable
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.model import Inventory
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import variables
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules.renamed import RENAMED

from tests import inventories
from tests.conftest import ROOT

#: Old and new beginning of names whose rest stayed, and those rests: what another role, or a part of one, owns now.
MOVED = [
    ("hosts_", "node_prep_", "modules sysctls time_servers"),
    ("control_plane_", "kubeadm_init_", "ignore_preflight_errors timeout"),
    ("workers_", "kubeadm_join_", "ignore_preflight_errors timeout token_ttl"),
    ("network_", "calico_", "timeout"),
    ("trust_", "ssh_known_hosts_", "accept accept_changed hosts"),
    ("mesh_images_", "containerd_images_", "set timeout wait"),
    ("mesh_remove_", "istio_uninstall_", "timeout"),
    ("mesh_switch_", "istio_upgrade_", "path qps timeout"),
    ("canary_", "tenants_canary_", "routes"),
    ("rate_limit_", "tenants_rate_", "limits"),
    ("verify_removed_", "verify_", "namespace"),
    ("verify_removed_", "verify_remove_", "timeout"),
    ("jaeger_", "observability_jaeger_", "max_traces resources retention storage storage_path storage_size"),
    ("kiali_", "observability_kiali_", "istiod resources"),
    (
        "prometheus_",
        "observability_prometheus_",
        "cluster_scrape_interval ipvs_port resources retention_size retention_time scrape_interval storage_path "
        "storage_size watched_services",
    ),
]
#: Those that got another word, or one name for several.
RESPELT = {
    "canary_timeout": "tenants_traffic_timeout",
    "rate_limit_timeout": "tenants_traffic_timeout",
    "istio_reject_seconds": "istio_rejected_config_seconds",
    "mesh_gate_seconds": "istio_rejected_config_seconds",
    "jaeger_timeout": "observability_timeout",
    "kiali_timeout": "observability_timeout",
    "prometheus_timeout": "observability_timeout",
    "observability_ready_timeout": "observability_wait_timeout",
    "observability_storage_jaeger": "observability_jaeger_storage",
    "observability_storage_jaeger_path": "observability_jaeger_storage_path",
    "observability_storage_path": "observability_prometheus_storage_path",
    "ready_timeout": "kubeadm_wait_timeout",
    "standing_host_timeout": "verify_connectivity_timeout",
    "standing_prove_always": "verify_force",
    "standing_scenarios": "verify_scenarios",
    "tenants_ready_timeout": "tenants_wait_timeout",
    "trust_known_hosts": "ssh_known_hosts_file",
    "trust_timeout_seconds": "ssh_known_hosts_timeout",
    "verify_linger": "verify_keep_seconds",
}
OLD = {f"{before}{rest}": f"{after}{rest}" for before, after, rests in MOVED for rest in rests.split()} | RESPELT


def test_every_old_name_is_known_by_its_new_one() -> None:
    """One that is taken out, added or changed here is on purpose: earlier inventories still have it."""
    assert len(RENAMED) == len(OLD) == 59
    assert dict(RENAMED) == OLD


@pytest.mark.parametrize("new", sorted(set(RENAMED.values())))
def test_a_new_name_is_a_variable_with_a_default_of_the_role_that_owns_it(new: str) -> None:
    """A rename that leads nowhere helps nobody."""
    owners = [path.name for path in (ROOT / "roles").iterdir() if new.startswith(f"{path.name}_")]
    role = ROOT / "roles" / max(owners, key=len)
    points = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    assert any(new in (point.get("options") or {}) for point in points.values())
    assert new in yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))


def test_no_old_name_is_a_variable_of_a_role() -> None:
    declared = inventories.rules().declared
    assert not set(RENAMED) & (set(declared.options) | set(declared.defaults))
    assert not set(RENAMED) & set(RENAMED.values()), "a new name that is old leads on and on"


def test_no_role_and_no_playbook_uses_an_old_name() -> None:
    """Names of files aside, as playbooks/trust_hosts.yml."""
    old = re.compile(rf"(?<![\w/])({'|'.join(RENAMED)})(?![\w]|\.yml)")
    files = [path for folder in ("roles", "playbooks", "inventory") for path in (ROOT / folder).rglob("*")]
    texts = {str(path): path.read_text(encoding="utf-8") for path in files if path.suffix in (".yml", ".j2")}
    assert any("kubeadm_init_timeout" in text for text in texts.values())
    assert {path: found[1] for path, text in texts.items() if (found := old.search(text))} == {}


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_name_in_an_inventory_is_answered_with_the_new_one(old: str) -> None:
    """Once, though it may be alike to others, or begin like the variables of a role."""
    inventory = Inventory({"all": ()}, {}, {}, variables=(Variable(old, "group_vars/all.yml", "group", "all"),))
    (finding,) = variables.check_names(inventory, inventories.rules().declared, RENAMED)
    assert finding.line() == (
        f"group_vars/all.yml: {old}: found an old name, renamed to {RENAMED[old]}; expected {RENAMED[old]}"
    )
    assert finding.level == "error"
