"""Filters of the comparison of three ways to dual stack: thin wrappers around plugin_utils/report/comparison.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import observability
from ansible_collections.twinstack.core.plugins.plugin_utils.report import comparison


def compared_objects(
    measured: Mapping[str, Any], primary_family: str, revision: str, image: str
) -> list[dict[str, Any]]:
    """Everything in the cluster for one measurement. measured: way and services."""
    families = observability.families(primary_family)
    listed = comparison.services(str(measured["way"]), int(measured["services"]), families)
    return [*comparison.base(revision, image), *listed]


def comparison_table(results: Sequence[Mapping[str, Any]]) -> str:
    """A table of all measurements in Markdown."""
    return comparison.table(results)


def comparison_plot(results: Sequence[Mapping[str, Any]]) -> str:
    """Their plot as SVG."""
    return comparison.plot(results)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "compared_objects": compared_objects,
            "comparison_table": comparison_table,
            "comparison_plot": comparison_plot,
        }
