"""Filters over tenants, as roles use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.filter import tenants as filters
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenants as model

from tests.unit.plugin_utils.manifests.tenant_samples import BAR, FOO, named, objects

NOW = certificates.today()


def test_what_a_tenant_lacks_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="tenants: 'http_port'"):
        objects({"name": "foo"})


def test_every_gateway_is_waited_for() -> None:
    assert filters.tenant_gateways([FOO, BAR]) == [
        {"api_version": "apps/v1", "kind": "Deployment", "names": ["gateway"], "namespace": "foo"},
        {"api_version": "apps/v1", "kind": "Deployment", "names": ["gateway"], "namespace": "bar"},
    ]
    for tenant in (FOO, BAR):
        assert named(objects(tenant), "Deployment").keys() == {"gateway"}


def test_a_deployment_that_is_held_is_not_waited_for_once_more() -> None:
    shop = BAR | {"services": [{"name": "shop", "versions": ["v1", "v2"]}, {"name": "stock"}]}
    held = [{"namespace": "bar", "service": "shop", "why": "", "deployments": ["shop-v1", "shop-v2"]}]
    _gateway, services = filters.tenant_gateways([shop], held)
    assert services["names"] == ["stock-v0-0-1"]
    assert len(filters.tenant_gateways([BAR | {"services": [{"name": "shop", "versions": ["v1", "v2"]}]}], held)) == 1


def test_certificates_are_made_for_names_and_addresses_of_both_families() -> None:
    tenants = [
        FOO | {"hosts": ["foo.example", "*.foo.example"]},
        BAR,
        BAR | {"name": "all", "https_port": 30444},
        FOO | {"name": "own", "certificate": {"cert": "/own.crt", "key": "/own.key"}},
    ]
    assert filters.tenant_certificate_hosts(tenants, ["192.168.1.11", "fd00::11"], "cluster.local") == {
        "foo": ["foo.example", "*.foo.example", "gateway.foo.svc.cluster.local", "192.168.1.11", "fd00::11"],
        "all": ["gateway.all.svc.cluster.local", "192.168.1.11", "fd00::11"],
    }


def test_secrets_are_the_users_files_or_those_that_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/me")
    own = {"name": "own", "certificate": {"cert": "~/own.crt", "key": "/keys/own.key"}}
    assert filters.tenant_tls_secrets([FOO, BAR, FOO | own], "/secrets/gateways") == [
        {
            "namespace": "foo",
            "name": "gateway-certificate",
            "certificate": "/secrets/gateways/foo.crt",
            "private_key": "/secrets/gateways/foo.key",
        },
        {
            "namespace": "own",
            "name": "gateway-certificate",
            "certificate": "/users/me/own.crt",
            "private_key": "/keys/own.key",
        },
    ]


def test_every_gateway_gets_requests_over_both_families_by_a_name_that_it_serves() -> None:
    several = FOO | {"name": "several", "hosts": ["*.shop.example", "www.shop.example"]}
    wild = FOO | {"name": "wild", "http_port": 30085, "hosts": ["*.shop.example"]}
    node = {"ipv4": "192.168.1.11", "ipv6": "fd00::11"}
    found = filters.tenant_targets([FOO, BAR, several, wild], node, "/a", 5)
    assert found[:3] == [
        {"name": "foo IPv4", "url": "http://192.168.1.11:30080/a", "headers": ["Host:foo.example"], "qps": 5.0},
        {"name": "foo IPv6", "url": "http://[fd00::11]:30080/a", "headers": ["Host:foo.example"], "qps": 5.0},
        {"name": "bar IPv4", "url": "http://192.168.1.11:30081/a", "headers": [], "qps": 5.0},
    ]
    assert [target["headers"] for target in found[4::2]] == [["Host:www.shop.example"], ["Host:any.shop.example"]]
    assert [target["name"].split()[1] for target in found] == ["IPv4", "IPv6"] * 4
    for target in found:
        made = fortio.Target(**{**target, "headers": tuple(target["headers"])})
        assert [value for key, value in fortio.run_query(made) if key == "H"] == target["headers"]
    assert filters.tenant_targets([], node, "/", 5) == []


def test_what_is_made_is_what_is_applied(tmp_path: Path) -> None:
    """Names of files as the one filter and the one that makes them see it."""
    authority, _ = certificates.ensure_authority(tmp_path, "test", NOW)
    for name, hosts in filters.tenant_certificate_hosts([FOO, BAR], ["fd00::11"], "cluster.local").items():
        certificates.ensure_certificate(authority, tmp_path, name, hosts, NOW)
    for secret in filters.tenant_tls_secrets([FOO, BAR], str(tmp_path)):
        given = Path(secret["certificate"]).read_bytes(), Path(secret["private_key"]).read_bytes()
        hosts = ["foo.example", "fd00::11", model.certificate_host(model.parse_tenant(FOO), "cluster.local")]
        assert certificates.problems(*given, hosts, NOW) == []
