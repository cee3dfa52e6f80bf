"""Revisions and builds of the mesh that are right."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import mesh as mesh_rules


def test_a_mesh_of_two_revisions_with_a_build_of_the_sites_own_is_good() -> None:
    build = {"hub": "registry.example/istio", "tag": "site", "istioctl": "/opt/istioctl", "plain_envoy": False}
    revisions = [{"name": "blue", "default": True}, {"name": "green", "build": build, "settings": {"pilot": {}}}]
    settings = {"istio_revisions": revisions, "istio_build": {}, "observability_kiali_istiod": "istiod-green"}
    assert list(mesh_rules.check_mesh(settings, lambda name: "group_vars/all.yml")) == []
    assert list(mesh_rules.check_mesh({"istio_revisions": []}, lambda name: "group_vars/all.yml")) == []
