"""Names that roles need of Prometheus, Jaeger and Kiali come from the one table."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.filter import observability as filters
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS


def test_all_deployments_are_waited_for() -> None:
    assert filters.observability_deployments([]) == ["prometheus", "jaeger", "kiali"]


def test_what_reads_others_is_removed_before_them() -> None:
    removed = filters.observability_prune_sets([])
    assert removed[0] == "kiali"
    assert sorted(removed) == sorted(COMPONENTS)
