"""Rules are whole, and ends of certificates become series."""

from __future__ import annotations

import json

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import alerts


def test_rules_are_whole() -> None:
    (group,) = alerts.prometheus_rules({"etcd-server": "2027-11-25T00:00:00Z"})["groups"]
    for rule in group["rules"]:
        assert rule["expr"]
        assert ("record" in rule) != ("alert" in rule and bool(rule["annotations"]["summary"]))


def test_the_end_of_etcds_certificate_is_a_series() -> None:
    text = json.dumps(
        {
            "certificates": [
                {"name": "etcd-server", "expirationDate": "2027-11-25T00:00:00Z"},
                {"name": "x", "missing": True},
            ],
            "certificateAuthorities": [{"name": "etcd-ca", "expirationDate": "2035-11-25T00:00:00Z"}],
        }
    )
    ends = alerts.certificate_ends(text)
    assert ends == {"etcd-server": "2027-11-25T00:00:00Z", "etcd-ca": "2035-11-25T00:00:00Z"}
    (group,) = alerts.prometheus_rules(ends)["groups"]
    (rule,) = [one for one in group["rules"] if one.get("labels", {}).get("certificate") == "etcd-server"]
    assert rule["expr"] == "vector(1827100800)"
    assert alerts.certificate_ends("") == {}
    with pytest.raises(ValueError, match="certificateAuthorities"):
        alerts.certificate_ends('{"certificates": []}')
