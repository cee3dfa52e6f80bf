"""Group mesh-count: a known number of requests of each family."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_count
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch
from ansible_collections.twinstack.core.plugins.module_utils.verify.objects import COUNTED
from ansible_collections.twinstack.core.plugins.module_utils.verify.script import curl_config

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import probes_of, raw_observed


def test_so_many_requests_of_each_family_go_to_the_service_that_nobody_else_calls() -> None:
    probes = probes_of(mesh_count.GROUP, observed())
    assert urls(probes) == {
        f"mesh-count/{family}/worker1/counted/{number}": f"http://{address}:80/hostname"
        for family, address in (("IPv4", "10.96.9.9"), ("IPv6", "[fd66:96::909]"))
        for number in range(1, COUNTED + 1)
    }


def test_all_come_from_one_pod_and_none_is_given_up_early() -> None:
    """A request that is sent again would be counted twice."""
    counted = probes_of(mesh_count.GROUP, raw_observed()).values()
    assert len(counted) == 2 * COUNTED and len({probe.runner for probe in counted}) == 1
    for probe in counted:
        assert isinstance(probe.action, Fetch)
        assert "max-time = 30" in curl_config(1, probe.action)


def test_nothing_is_sent_where_nobody_counts() -> None:
    assert probes_of(mesh_count.GROUP, meshed()) == {}
    raw = observed()
    raw["mesh_revision"] = ""
    raw["pods"] = [item for item in raw["pods"] if not item["metadata"]["name"].startswith("mesh-")]
    assert probes_of(mesh_count.GROUP, raw) == {}


def test_an_address_that_does_not_answer_is_red_in_its_family_alone() -> None:
    probes = probes_of(mesh_count.GROUP, observed())
    assert red(probes, lambda _: answer("mesh-worker1")) == set()
    assert red(probes, lambda _: answer("mesh-worker1"), "fd66:96::909") == {
        name for name in probes if "/IPv6/" in name
    }
    found = failed(probes_of(mesh_count.GROUP, without_address(observed(), "counted", "IPv4")))
    assert len(found) == COUNTED and set(found.values()) == {"not tried: counted has no IPv4 address"}
