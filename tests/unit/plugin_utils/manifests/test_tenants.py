"""Tenants: what each is made of, the filters that roles ask, and what is wrong with certificates that tenants name."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.filter import tenants as filters
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import fortio
from ansible_collections.twinstack.core.plugins.module_utils.verify.observe import CERTIFICATE_HOST
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenants as tenant_rules
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import tenants as model

FOO: dict[str, Any] = {"name": "foo", "http_port": 30080, "https_port": 30443, "hosts": ["foo.example"]}
ONLY_HERE = {"networking.istio.io/exportTo": "."}
BAR: dict[str, Any] = {"name": "bar", "http_port": 30081}
DATABASE: dict[str, Any] = {
    "name": "database",
    "hosts": ["db.example"],
    "addresses": ["192.168.1.20", "fd00::20"],
    "ports": [{"number": 5432, "protocol": "TCP"}],
}
SHOP: dict[str, Any] = {
    "name": "shop",
    "hosts": ["shop.example", "www.shop.example"],
    "ports": [{"number": 443, "protocol": "TLS"}, {"number": 80, "protocol": "HTTP"}],
}
NOW = certificates.today()


def objects(*tenants: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """All objects of tenants, by the filter that role tenants asks, with changed settings."""
    settings = {
        "tenants": list(tenants),
        "primary_family": "ipv4",
        "domain": "cluster.local",
        "default_revision": "stable",
        "resources": {"limits": {"memory": "256Mi"}},
        "demo_image": "twinstack.internal/demo:1",
        "workload_resources": {"limits": {"memory": "128Mi"}},
    }
    return filters.tenant_objects(settings | changes)


def named(found: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """All objects of a kind by name."""
    return {item["metadata"]["name"]: item for item in found if item["kind"] == kind}


def spec(found: list[dict[str, Any]], kind: str, name: str = "gateway") -> dict[str, Any]:
    """What one object says."""
    asked: dict[str, Any] = named(found, kind)[name]["spec"]
    return asked


# --- the namespace ----------------------------------------------------------------------------------------------------


def test_a_namespace_names_its_revision_and_allows_no_privileges() -> None:
    found = named(objects(FOO, BAR | {"revision": "canary"}), "Namespace")
    assert {name: item["metadata"]["labels"]["istio.io/rev"] for name, item in found.items()} == {
        "foo": "stable",
        "bar": "canary",
    }
    for item in found.values():
        assert item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_everything_else_is_in_its_tenants_namespace() -> None:
    more = {"mtls_mode": "STRICT", "external": [DATABASE]}
    found = objects(FOO | more, BAR | more)
    kinds = [(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in found]
    assert len(kinds) == len(set(kinds))
    mine, others = ({kind[:2] for kind in kinds if kind[2] == name} for name in ("foo", "bar"))
    assert mine == others
    assert {kind[0] for kind in kinds if kind[2] is None} == {"Namespace"}
    assert objects() == []


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE", "DISABLE"])
def test_mutual_tls_is_the_meshs_unless_a_tenant_says_otherwise(mode: str) -> None:
    assert named(objects(FOO, BAR), "PeerAuthentication") == {}
    found = [item for item in objects(FOO | {"mtls_mode": mode}, BAR) if item["kind"] == "PeerAuthentication"]
    assert [(item["metadata"], item["spec"]) for item in found] == [
        ({"name": "default", "namespace": "foo"}, {"mtls": {"mode": mode}})
    ]


# --- the gateway ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("primary", "families"), [("ipv4", ["IPv4", "IPv6"]), ("ipv6", ["IPv6", "IPv4"])])
def test_a_gateway_is_entered_in_both_families_by_ports_of_its_own(primary: str, families: list[str]) -> None:
    service = spec(objects(FOO, primary_family=primary), "Service")
    assert (service["ipFamilyPolicy"], service["ipFamilies"]) == ("RequireDualStack", families)
    assert service["type"] == "NodePort"
    assert [(port["name"], port["port"], port["targetPort"], port["nodePort"]) for port in service["ports"]] == [
        ("http", 80, 8080, 30080),
        ("https", 443, 8443, 30443),
    ]


def test_without_a_port_for_it_there_is_no_https() -> None:
    found = objects(BAR)
    assert [port["name"] for port in spec(found, "Service")["ports"]] == ["http"]
    assert spec(found, "Gateway")["servers"] == [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    ]
    assert named(found, "Service")["gateway"]["metadata"]["annotations"] == ONLY_HERE


def test_https_uses_the_certificate_that_is_applied_beside_the_objects() -> None:
    _, server = spec(objects(FOO), "Gateway")["servers"]
    assert server == {
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": ["foo.example"],
        "tls": {"mode": "SIMPLE", "credentialName": "gateway-certificate"},
    }
    (secret,) = filters.tenant_tls_secrets([FOO], "/secrets")
    assert (secret["namespace"], secret["name"]) == ("foo", server["tls"]["credentialName"])
    (rule,) = named(objects(FOO), "Role")["gateway"]["rules"]
    assert (rule["resources"], rule["verbs"]) == (["secrets"], ["get", "list", "watch"])
    assert spec(objects(FOO), "Deployment")["template"]["spec"]["serviceAccountName"] == "gateway"


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        ({}, "foo.example"),
        ({"hosts": ["*.foo.example", "bar.example"]}, "bar.example"),
        ({"hosts": ["*"]}, "gateway.foo.svc.cluster.local"),
        ({"hosts": ["*"], "certificate": {"cert": "/foo.crt", "key": "/foo.key"}}, None),
    ],
)
def test_the_service_tells_a_name_that_its_certificate_is_good_for(changes: dict[str, Any], host: str | None) -> None:
    metadata = named(objects(FOO | changes), "Service")["gateway"]["metadata"]
    assert metadata["annotations"] == ONLY_HERE | ({CERTIFICATE_HOST: host} if host else {})


def test_a_load_balancer_chooses_its_own_node_ports() -> None:
    service = spec(objects(FOO | {"service_type": "LoadBalancer"}), "Service")
    assert service["type"] == "LoadBalancer"
    assert [port["port"] for port in service["ports"]] == [80, 443]
    assert not any("nodePort" in port for port in service["ports"])


def test_everything_of_a_gateway_selects_its_pods_and_no_other_tenants() -> None:
    found = objects(FOO)
    labels = spec(found, "Deployment")["template"]["metadata"]["labels"]
    assert labels == {"app": "gateway", "istio": "foo-gateway"}
    assert spec(found, "Service")["selector"] == spec(found, "Gateway")["selector"] == labels
    assert spec(found, "PodDisruptionBudget")["selector"] == {"matchLabels": labels}
    assert spec(found, "NetworkPolicy")["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec(objects(BAR), "Gateway")["selector"] != labels


def test_a_gateway_needs_no_more_than_its_namespace_allows() -> None:
    deployment = spec(objects(FOO), "Deployment")
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["resources"] == {"limits": {"memory": "256Mi"}}
    assert deployment["template"]["metadata"]["annotations"] == {"inject.istio.io/templates": "gateway"}


def test_no_request_is_lost_while_a_gateway_is_replaced() -> None:
    deployment = spec(objects(FOO), "Deployment")
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec(objects(FOO), "PodDisruptionBudget")["maxUnavailable"] == 1


# --- what may be talked to --------------------------------------------------------------------------------------------


def test_nothing_is_open_by_default() -> None:
    for policy in named(objects(FOO), "NetworkPolicy").values():
        kinds = {kind.lower() for kind in policy["spec"]["policyTypes"]}
        assert policy["spec"].keys() & {"ingress", "egress"} <= kinds, "rules of a direction that is not closed"
    assert spec(objects(FOO), "NetworkPolicy", "default-deny") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_only_the_gateway_is_entered_from_anywhere() -> None:
    found = named(objects(FOO | {"external": [DATABASE]}), "NetworkPolicy")
    anywhere = [name for name, item in found.items() for rule in item["spec"].get("ingress", []) if "from" not in rule]
    assert anywhere == ["gateway"]
    assert found["gateway"]["spec"] == {
        "podSelector": {"matchLabels": {"app": "gateway"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": 8080}, {"protocol": "TCP", "port": 8443}]}],
    }


def test_a_tenant_reaches_itself_and_what_the_mesh_needs() -> None:
    found = named(objects(FOO), "NetworkPolicy")
    assert found.keys() == {"default-deny", "within", "gateway", "mesh"}
    assert found["within"]["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]
    assert found["within"]["spec"]["egress"] == [{"to": [{"podSelector": {}}]}]
    reached = {}
    for rule in found["mesh"]["spec"]["egress"]:
        (peer,) = rule["to"]
        space = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        reached[space] = {(port["protocol"], port["port"]) for port in rule["ports"]}
    assert reached == {
        "kube-system": {("UDP", 53), ("TCP", 53)},
        "istio-system": {("TCP", 15010), ("TCP", 15012)},
        "observability": {("TCP", 4317)},
    }


def test_external_addresses_are_open_one_by_one_in_both_families() -> None:
    policy = spec(objects(FOO | {"external": [DATABASE]}), "NetworkPolicy", "external")
    assert policy == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "192.168.1.20/32"}}, {"ipBlock": {"cidr": "fd00::20/128"}}],
                "ports": [{"protocol": "TCP", "port": 5432}],
            }
        ],
    }


def test_a_name_that_dns_is_asked_for_may_have_any_address_but_its_own_ports_only() -> None:
    """What is open for one host outside the mesh is not open for another."""
    policy = spec(objects(FOO | {"external": [DATABASE, SHOP]}), "NetworkPolicy", "external")
    opened = [
        ({peer["ipBlock"]["cidr"] for peer in rule["to"]}, {port["port"] for port in rule["ports"]})
        for rule in policy["egress"]
    ]
    assert opened == [({"192.168.1.20/32", "fd00::20/128"}, {5432}), ({"0.0.0.0/0", "::/0"}, {80, 443})]


def test_hosts_outside_the_mesh_have_their_addresses_or_those_that_dns_says() -> None:
    found = objects(FOO | {"external": [DATABASE, SHOP]})
    assert not [item for item in found if item["kind"] == "VirtualService"]
    assert spec(found, "ServiceEntry", "database") == {
        "hosts": ["db.example"],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [{"name": "tcp-5432", "number": 5432, "protocol": "TCP"}],
        "resolution": "STATIC",
        "addresses": ["192.168.1.20", "fd00::20"],
        "endpoints": [{"address": "192.168.1.20"}, {"address": "fd00::20"}],
    }
    assert spec(found, "ServiceEntry", "shop") == {
        "hosts": ["shop.example", "www.shop.example"],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [
            {"name": "tls-443", "number": 443, "protocol": "TLS"},
            {"name": "http-80", "number": 80, "protocol": "HTTP"},
        ],
        "resolution": "DNS",
    }


def test_several_hosts_of_the_same_addresses_are_told_apart_by_name() -> None:
    found = objects(FOO | {"external": [SHOP | {"addresses": ["192.168.1.20", "fd00::20"]}]})
    assert spec(found, "VirtualService", "external.shop") == {
        "hosts": ["shop.example", "www.shop.example"],
        "exportTo": ["."],
        "tls": [
            {
                "match": [{"port": 443, "sniHosts": [host]}],
                "route": [{"destination": {"host": host, "port": {"number": 443}}}],
            }
            for host in ("shop.example", "www.shop.example")
        ],
    }


# --- filters ----------------------------------------------------------------------------------------------------------


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


def test_every_gateway_is_asked_over_both_families_by_a_name_that_it_serves() -> None:
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


# --- certificates of the inventory ------------------------------------------------------------------------------------


def judged(folder: Path, now: datetime, names: list[str], **changes: Any) -> list[str]:
    """What is wrong with a tenant foo whose own certificate for these names was made at a time, as lines."""
    authority, _ = certificates.ensure_authority(folder, "test", now)
    certificates.ensure_certificate(authority, folder, "foo", names, now)
    paths = {"cert": str(folder / "foo.crt"), "key": str(folder / "foo.key")} | changes
    settings = {"twinstack_tenants": [FOO | {"certificate": paths}]}
    defaults = {"istio_revisions": [{"name": "stable", "default": True}], "twinstack_tenants_revision": "stable"}
    return [finding.line() for finding in tenant_rules.check_tenants(settings, defaults, lambda name: "all.yml")]


def test_a_fitting_certificate_is_accepted(tmp_path: Path) -> None:
    assert judged(tmp_path, NOW, ["foo.example"]) == []
    assert judged(tmp_path / "wildcard", NOW, ["*.example"]) == []


@pytest.mark.parametrize(
    ("age", "names", "found"),
    [
        (
            certificates.LIFE + timedelta(days=2),
            ["foo.example"],
            f"a certificate that expired on {NOW - timedelta(days=2):%Y-%m-%d}; expected one that is valid today",
        ),
        (
            timedelta(days=-2),
            ["foo.example"],
            "a certificate that is valid from "
            f"{NOW + timedelta(days=2) - certificates.CLOCK_DIFFERENCE:%Y-%m-%d} on; expected one that is valid today",
        ),
        (timedelta(0), ["bar.example"], "a certificate for bar.example; expected one for foo.example too"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    tmp_path: Path, age: timedelta, names: list[str], found: str
) -> None:
    hint = f"openssl x509 -noout -text -in {tmp_path}/foo.crt"
    assert judged(tmp_path, NOW - age, names) == [
        f"all.yml: twinstack_tenants[0].certificate.cert: found {found}. Try: {hint}"
    ]


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    judged(tmp_path / "other", NOW, ["foo.example"])
    hint = f"openssl x509 -noout -text -in {tmp_path}/foo.crt"
    assert judged(tmp_path, NOW, ["foo.example"], key=str(tmp_path / "other" / "foo.key")) == [
        "all.yml: twinstack_tenants[0].certificate.key: found the key of another certificate; "
        f"expected the key of the certificate. Try: {hint}"
    ]


def test_a_path_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert judged(tmp_path, NOW, ["foo.example"], cert="~/foo.crt", key="~/foo.key") == []
