"""What each tenant is made of: a namespace, a gateway, and what may be talked to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.filter import tenants as filters
from ansible_collections.twinstack.core.plugins.module_utils.contract import CERTIFICATE_HOST

from tests.unit.plugin_utils.manifests.tenant_samples import BAR, DATABASE, FOO, SHOP, named, objects, spec

ONLY_HERE = {"networking.istio.io/exportTo": "."}

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
def test_the_service_names_a_host_that_its_certificate_is_good_for(changes: dict[str, Any], host: str | None) -> None:
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


def test_a_name_that_dns_resolves_may_have_any_address_but_its_own_ports_only() -> None:
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


def test_several_hosts_of_the_same_addresses_are_distinguished_by_name() -> None:
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
