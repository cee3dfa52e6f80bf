"""Group mesh-metrics: Prometheus counted the requests of each family."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import mesh_metrics
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import Fetch, Probe

from tests.unit.module_utils.verify.groups.two_nodes import (
    answer,
    failed,
    meshed,
    observed,
    red,
    urls,
    without_address,
)
from tests.unit.module_utils.verify.samples import RUN, SPACE, probes_of

FAMILIES = ("IPv4", "IPv6")


def told(probe: Probe, count: int = 40) -> list[str]:
    """What Prometheus answers when it counted so many."""
    labels = "{}" if probe.target == "count" else f'{{"ip_family":"{probe.family}"}}'
    return answer(f'{{"data":{{"result":[{{"metric":{labels},"value":[17.2,"{count}"]}}]}}}}')


def test_prometheus_is_queried_by_its_address_of_the_family_about_the_family() -> None:
    probes = probes_of(mesh_metrics.GROUP, observed())
    assert set(probes) == {
        f"mesh-metrics/{family}/{what}" for family in FAMILIES for what in ("source", "destination", "count")
    }
    for name, where in urls(probes).items():
        probe = probes[name]
        address = {"IPv4": "10.96.8.0", "IPv6": "[fd66:96::800]"}[probe.family]
        assert where.startswith(f"http://{address}:9090/api/v1/query?query=")
        asked = unquote(where)
        assert f'ip_family="{probe.family}"' in asked
        assert f'source_canonical_revision="{RUN}"' in asked, "an earlier verification's requests do not count"
        assert f'_namespace="{SPACE}"' in asked
        assert f'reporter="{"destination" if probe.target == "destination" else "source"}"' in asked
    assert probes_of(mesh_metrics.GROUP, meshed()) == {}, "no Prometheus"


def test_a_family_that_was_not_counted_is_red_alone() -> None:
    probes = probes_of(mesh_metrics.GROUP, observed())
    assert red(probes, told) == set()
    nothing = answer('{"data":{"result":[]}}')
    assert red(probes, lambda one: nothing if one.family == "IPv6" else told(one)) == {
        name for name in probes if "/IPv6/" in name
    }


@pytest.mark.parametrize("count", [39, 41, 140])
def test_one_request_too_few_or_too_many_is_red_where_they_are_counted(count: int) -> None:
    found = red(probes_of(mesh_metrics.GROUP, observed()), lambda one: told(one, count))
    assert found == {"mesh-metrics/IPv4/count", "mesh-metrics/IPv6/count"}


def test_prometheus_without_an_address_of_the_family_is_red_in_it() -> None:
    found = probes_of(mesh_metrics.GROUP, without_address(observed(), "prometheus", "IPv4"))
    assert failed(found) == {
        f"mesh-metrics/IPv4/{what}": "not tried: prometheus has no IPv4 address"
        for what in ("source", "destination", "count")
    }
    assert all(isinstance(probe.action, Fetch) for probe in found.values() if probe.family == "IPv6")
