"""Versions: which go together, and what the proxy mode needs of Kubernetes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import check as inventory_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import versions

from tests import inventories


def test_the_versions_of_the_bundle_are_tested() -> None:
    """By the lab, every one of them, and Istio in all patch releases."""
    chosen, rules = bundle_versions.of_cluster(), inventory_rules.load_rules()
    assert versions.check_versions(chosen, rules.pairs, "x") == []
    lab = {pair.component for pair in rules.pairs if pair.tested_by == "twinstack lab"}
    assert lab | {"kubernetes"} == set(chosen) == set(role_options.load().defaults["twinstack_versions"])
    built = bundle_versions.of_all()["istio"]
    for tag in (built, f"{built.rpartition('.')[0]}.99-site"):
        assert versions.check_istio(tag, chosen["kubernetes"], rules.mesh_pairs, "x", "y") == []
    assert versions.check_istio("1.2.3", chosen["kubernetes"], rules.mesh_pairs, "x", "y")


def test_pairs_that_upstream_tested_are_accepted() -> None:
    """Two numbers in the table match every patch release."""
    chosen = {**inventories.VERSIONS, "etcd": "3.7.0", "coredns": "1.14.6", "calico": "3.33.4"}
    assert versions.check_versions(chosen, inventories.rules().pairs, "x") == []


@pytest.mark.parametrize(
    ("change", "message"), [({"tested_by": "me"}, "tested_by 'me'"), ({"version": "3"}, "versions of two or three")]
)
def test_a_wrong_table_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    """Who tested a pair is no free text."""
    entry = {"component": "a", "version": "1.2", "kubernetes": "1.37", "tested_by": "upstream", "source": "b"} | change
    path = tmp_path / "table.yml"
    path.write_text(yaml.safe_dump({"pairs": [entry]}), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        versions.load_pairs(path)


@pytest.mark.parametrize(
    ("kubernetes", "levels"),
    [("1.36.9", []), ("1.37.0", ["warning"]), ("1.39.9", ["warning"]), ("1.40.0", ["error"]), ("2.0.0", ["error"])],
)
def test_ipvs_by_kubernetes_version(kubernetes: str, levels: list[str]) -> None:
    """Deprecated from 1.37, refused from 1.40; nftables always works."""
    assert [finding.level for finding in versions.check_proxy_mode("ipvs", kubernetes, "x")] == levels
    assert versions.check_proxy_mode("nftables", kubernetes, "x") == []


@pytest.mark.parametrize("text", ["1.37", "v1.37.2", "1.37.2-rc.1", "1.037.2", "1.37.2 ", ""])
def test_version_forms_that_are_none(text: str) -> None:
    """Three numbers and nothing else."""
    with pytest.raises(ValueError, match="three numbers"):
        versions.parse(text)
