"""Filters over releases and limits, as roles use them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.filter import tenants as tenant_filters
from ansible_collections.twinstack.core.plugins.filter import traffic as filters

SHOP = {"name": "shop", "http_port": 30080, "services": [{"name": "basket", "versions": ["v0.1", "v0.2"]}]}


def test_deployments_of_versions_are_those_that_are_made() -> None:
    found = filters.tenant_deployments([SHOP, {"name": "bar", "http_port": 30081}])
    assert [(one["namespace"], one["service"], one["subset"]) for one in found] == [
        ("shop", "basket", "v0-1"),
        ("shop", "basket", "v0-2"),
    ]
    waited = [one for one in tenant_filters.tenant_gateways([SHOP]) if one["names"] != ["gateway"]]
    assert [one["name"] for one in found] == waited[0]["names"]
    rules = filters.canary_objects(filters.FilterModule().filters()["tenant_canaries"]([SHOP]), "cluster.local")
    assert [one["name"] for one in rules[0]["spec"]["subsets"]] == [one["subset"] for one in found]


def test_what_a_release_or_a_limit_lacks_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="tenants_canary_routes: found no 'versions'"):
        filters.canary_objects([{"namespace": "a", "service": "b"}], "cluster.local")
    with pytest.raises(AnsibleFilterError, match="tenants_rate_limits: found no 'selector'"):
        filters.rate_limit_objects([{"namespace": "a", "name": "b"}])
