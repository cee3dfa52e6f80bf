"""What an inventory may say about a tenant's services, routes, limits and quota."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.rules import tenant_services

from tests.unit.plugin_utils.manifests.tenant_samples import BUSY

WHOLE = "a whole number above 0"


def judged(gateways: int = 1, **item: Any) -> list[tuple[str, str, str]]:
    """Field, what was found and what was expected, of a tenant."""
    return [
        (finding.field, finding.found, finding.expected)
        for finding in tenant_services.check_services("all.yml", "foo", item, gateways)
    ]


def service(**fields: Any) -> list[tuple[str, str, str]]:
    """The same of a tenant's one service, which is routed."""
    return judged(services=[{"name": "a"} | fields], routes=[{"service": fields.get("name", "a")}])


def route(**fields: Any) -> list[tuple[str, str, str]]:
    """The same of one route to a service of two versions."""
    return judged(services=[{"name": "a", "versions": ["v1", "v2"]}], routes=[{"service": "a"} | fields])


def test_a_tenant_that_is_right_is_not_refused() -> None:
    """Unusual values among it: what is refused is in tests/inventories/bad/services.yml."""
    odd: dict[str, Any] = {
        "services": [
            {
                "name": "a",
                "versions": ["v1", "2.0.1-rc.1"],
                "limit": {"requests": 1, "seconds": 3600, "at": "workload"},
            },
            {"name": "b" * 40, "replicas": 3, "port": 1},
        ],
        "routes": [{"service": "a", "path": "/", "headers": ["X-Release"], "match": "prefix"}],
        "quota": {"pods": 13},
        "reaches": ["kube-system"],
    }
    right: list[dict[str, Any]] = [BUSY, odd, {"services": [], "routes": []}, {}]
    for item in right:
        assert list(tenant_services.check_services("file", "field", item, 2)) == []


def test_findings_name_the_file_and_the_tenant() -> None:
    (finding,) = tenant_services.check_services("group_vars/all.yml", "twinstack_tenants[1]", {"services": "a"}, 1)
    assert finding.line() == ("group_vars/all.yml: twinstack_tenants[1].services: found a; expected a list of mappings")


@pytest.mark.parametrize("value", ["a", 1, None, {"name": "a"}, ["a"]])
@pytest.mark.parametrize("key", ["services", "routes"])
def test_services_and_routes_are_lists_of_mappings(key: str, value: Any) -> None:
    """Nothing else is looked at then."""
    ((field, _found, expected),) = judged(**{key: value, "quota": "none"})
    assert (field, expected) == (f"foo.{key}", "a list of mappings")


def test_unknown_fields_are_named_with_the_known_ones_and_end_the_judgement() -> None:
    assert judged(services=[{"name": "A", "x": 1, "colour": 2}], routes=[{"servcie": "a"}]) == [
        ("foo.services[0]", "colour, x", "only name, versions, image, port, replicas, limit, probes, env, resources"),
        ("foo.routes[0]", "servcie", "only service, path, headers, match, weights"),
    ]


@pytest.mark.parametrize("name", ["a", "a-1", "1a", "b" * 40])
def test_names_that_services_can_have(name: str) -> None:
    assert service(name=name) == []


@pytest.mark.parametrize("name", [None, 5, "", "A", "-a", "a.b", "b" * 41])
def test_names_that_services_cannot_have(name: Any) -> None:
    fields = [found for found in service(name=name) if found[0] == "foo.services[0].name"]
    assert [expected for _field, _found, expected in fields] == ["a DNS label of at most 40 characters"]


def test_a_service_is_not_the_gateway_and_is_there_once() -> None:
    assert service(name="gateway") == [
        ("foo.services[0].name", "gateway, the name of the tenant's gateway", "another name")
    ]
    assert judged(services=[{"name": "a"}, {"name": "b"}, {"name": "a"}]) == [
        ("foo.services[2].name", "a, which is foo.services[0]'s", "a name of its own")
    ]


@pytest.mark.parametrize(
    "versions", ["v1", [], [1], [""], ["V1"], ["v1."], ["v" * 21], ["-v1"], ["v1", None], {"v1": 1}]
)
def test_versions_are_texts_that_names_and_labels_can_hold(versions: Any) -> None:
    found = [item for item in service(versions=versions) if item[0] == "foo.services[0].versions"]
    assert [expected for _field, _found, expected in found] == [
        "a list of versions such as v0.0.1, the first one for everybody"
    ]


def test_versions_that_are_one_name_without_dots_are_one() -> None:
    assert service(versions=["v1.1", "v1-1"]) == [
        ("foo.services[0].versions", '["v1.1", "v1-1"]', "every version once")
    ]
    assert service(versions=["v1.1", "v11", "v" * 20]) == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("image", "a b", "the full name of an image that hosts have or can pull"),
        ("image", 5, "the full name of an image that hosts have or can pull"),
        ("port", 0, "a port, 1 to 65535"),
        ("port", 65536, "a port, 1 to 65535"),
        ("port", "80", "a port, 1 to 65535"),
        ("replicas", 0, WHOLE),
        ("replicas", 1001, WHOLE),
        ("replicas", True, WHOLE),
        ("replicas", 1.5, WHOLE),
    ],
)
def test_images_ports_and_replicas(field: str, value: Any, expected: str) -> None:
    ((where, _found, told),) = service(**{field: value})
    assert (where, told) == (f"foo.services[0].{field}", expected)


@pytest.mark.parametrize(
    ("limit", "field", "found", "expected"),
    [
        (20, "limit", "20", "a mapping with requests, seconds, at"),
        ({"requests": 1, "burst": 2}, "limit", '{"requests": 1, "burst": 2}', "a mapping with requests, seconds, at"),
        ({}, "limit.requests", "nothing", WHOLE),
        ({"requests": 0}, "limit.requests", "0", WHOLE),
        ({"requests": True}, "limit.requests", "true", WHOLE),
        ({"requests": 1_000_001}, "limit.requests", "1000001", WHOLE),
        ({"requests": 1, "seconds": 0}, "limit.seconds", "0", WHOLE),
        ({"requests": 1, "at": "door"}, "limit.at", "door", "gateway or workload"),
    ],
)
def test_limits(limit: Any, field: str, found: str, expected: str) -> None:
    assert service(limit=limit) == [(f"foo.services[0].{field}", found, expected)]


def test_a_limit_at_the_gateway_needs_a_route() -> None:
    unrouted = [{"name": "a", "limit": {"requests": 1}}, {"name": "b", "limit": {"requests": 1, "at": "workload"}}]
    assert judged(services=unrouted) == [
        (
            "foo.services[0].limit.at",
            "gateway without a route",
            "at: workload, or a route, because only routed requests meet the gateway",
        )
    ]
    assert judged(services=unrouted, routes=[{"service": "a"}]) == []


def test_a_route_leads_to_a_service_of_the_tenant() -> None:
    assert route(service="b") == [("foo.routes[0].service", "b", "one of a, the tenant's services")]
    assert judged(routes=[{"path": "/"}]) == [("foo.routes[0].service", "nothing", "a service of the tenant")]


@pytest.mark.parametrize("path", ["a", "", "/a b", "/a?b", "/ä", 5])
def test_paths_begin_with_a_slash_and_are_plain(path: Any) -> None:
    ((field, _found, expected),) = route(path=path)
    assert (field, expected) == ("foo.routes[0].path", "a path, beginning with /")


def test_a_path_belongs_to_one_route_also_where_it_is_not_written() -> None:
    """Without one, a route's path is the name of its service."""
    two = [{"name": "a"}, {"name": "b"}]
    assert judged(services=two, routes=[{"service": "a"}, {"service": "b", "path": "/a"}]) == [
        ("foo.routes[1].path", "/a, which is foo.routes[0]'s", "a path of its own")
    ]
    assert judged(services=two, routes=[{"service": "a"}, {"service": "b"}, {"service": "a", "path": "/c"}]) == []


@pytest.mark.parametrize("headers", ["version", [], ["a b"], ["-a"], [5]])
def test_headers_are_names_of_headers(headers: Any) -> None:
    ((field, _found, expected),) = route(headers=headers)
    assert (field, expected) == ("foo.routes[0].headers", "a list of names of HTTP headers")


@pytest.mark.parametrize(
    "weights", [{"v1": 50}, {"v1": 60, "v2": 50}, {"v1": -1, "v2": 101}, {"v1": "50", "v2": 50}, [100], {}]
)
def test_weights_are_percent_of_all(weights: Any) -> None:
    ((field, _found, expected),) = route(weights=weights)
    assert (field, expected) == ("foo.routes[0].weights", "a share by version, in percent, 100 in all")


def test_weights_name_versions_of_the_service_and_stand_alone() -> None:
    assert route(weights={"v1": 0, "v2": 100}) == route(weights={"v2": 100}) == []
    assert route(weights={"v1": 50, "v3": 50}) == [
        ("foo.routes[0].weights", "v3", "only v1, v2, the service's versions")
    ]
    assert route(weights={"v1": 100}, headers=["version"], match="prefix") == [
        ("foo.routes[0].headers", '["version"] beside weights', "headers or weights"),
        ("foo.routes[0].match", "prefix beside weights", "headers or weights"),
    ]


@pytest.mark.parametrize("reaches", ["billing", ["Billing"], ["a.b"], [5], None])
def test_reaches_are_namespaces(reaches: Any) -> None:
    ((field, _found, expected),) = judged(reaches=reaches)
    assert (field, expected) == ("foo.reaches", "a list of namespaces")
    assert judged(reaches=[]) == []


@pytest.mark.parametrize("quota", [5, {"memory": 4}, {"pods": 0}, {"pods": "9"}, {"pods": 10_001}, {"services": True}])
def test_a_quota_is_a_mapping_of_whole_numbers(quota: Any) -> None:
    ((field, _found, expected),) = judged(quota=quota)
    assert (field, expected) == ("foo.quota", "a mapping with pods, services, whole numbers above 0")


def test_a_quota_holds_what_the_tenant_runs_and_what_a_change_adds() -> None:
    """A pod and its successor of each version and of the gateway; a Service each."""
    services = [{"name": "a", "replicas": 3}]
    assert judged(gateways=2, services=services, quota={"pods": 7, "services": 2}) == []
    assert judged(gateways=2, services=services, quota={"pods": 6, "services": 1}) == [
        ("foo.quota.pods", "6, but its services and gateway need 7", "at least 7, or fewer services"),
        ("foo.quota.services", "1, but its services and gateway need 2", "at least 2, or fewer services"),
    ]
    many = [{"name": f"a{number}"} for number in range(12)]
    assert [field for field, *_ in judged(services=many)] == ["foo.quota.services"], "twelve is the default"


def test_a_quota_is_not_counted_against_services_that_are_wrong() -> None:
    found = judged(services=[{"name": "a", "replicas": "many"}], quota={"pods": 1})
    assert [field for field, *_ in found] == ["foo.services[0].replicas"]
