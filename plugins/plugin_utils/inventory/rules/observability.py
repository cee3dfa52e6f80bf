"""What an inventory may say about Prometheus and about tracing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, Where
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.retention import retention_bytes
from kubernetes.utils.quantity import parse_quantity

WATCHED = "observability_prometheus_watched_services"
SERVICE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SAMPLING = "istio_trace_sampling_percent"
JAEGER_VOLUME = "observability_jaeger_storage_size"
JAEGER_PATH = "observability_jaeger_storage_path"
JAEGER_RETENTION = "observability_jaeger_retention"
RETENTION = "observability_prometheus_retention_size"
VOLUME = "observability_prometheus_storage_size"
PATH = "observability_prometheus_storage_path"
DURATIONS = (
    "observability_prometheus_retention_time",
    "observability_prometheus_scrape_interval",
    "observability_prometheus_cluster_scrape_interval",
)
# Prometheus' durations (prometheus/common, model.ParseDuration): every unit at most once, the largest first.
DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in ("y", "w", "d", "h", "m(?!s)", "s", "ms")))
# Go's durations (time.ParseDuration) of the units that make sense here, which know no days.
GO_DURATION = re.compile(r"(?=.*[1-9])(\d+h)?(\d+m)?(\d+s)?")


def quantity_bytes(text: str) -> int | None:
    """Bytes of a Kubernetes quantity, ``5Gi`` or ``5G``; None when it is none above nothing."""
    try:
        found = parse_quantity(text)
    except ValueError:
        return None
    return int(found) if found.is_finite() and found > 0 else None


def is_duration(text: str) -> bool:
    """Whether Prometheus takes a text as a duration, and one above nothing."""
    found = DURATION.fullmatch(text)
    return found is not None and any(int(number) for number in found.groups() if number)


def check_observability(settings: Mapping[str, Any], defaults: Mapping[str, Any], where: Where) -> Iterator[Finding]:
    """settings: of the right types; defaults: of all roles; where: the file that sets a variable."""
    sampling = settings.get(SAMPLING)
    if sampling is not None and not 0 <= float(sampling) <= 100:
        yield Finding(where(SAMPLING), SAMPLING, str(sampling), "a percentage, 0 to 100")
    for name in DURATIONS:
        if name in settings and not is_duration(str(settings[name])):
            yield Finding(where(name), name, str(settings[name]), "a duration above 0 such as 15s, 12h or 7d")
    watched = settings.get(WATCHED, {})
    for name, port in watched.items() if isinstance(watched, Mapping) else ():
        right = isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= 65535
        if not SERVICE.fullmatch(str(name)) or not right:
            expected = "name.namespace of a Service, and its port, 1 to 65535"
            yield Finding(where(WATCHED), f"{WATCHED}.{name}", shown(port), expected)
    retention = settings.get(JAEGER_RETENTION)
    if retention is not None and not GO_DURATION.fullmatch(str(retention)):
        yield Finding(
            where(JAEGER_RETENTION), JAEGER_RETENTION, str(retention), "a duration above 0 such as 72h or 90m"
        )
    size = settings.get(JAEGER_VOLUME)
    if size is not None and not quantity_bytes(str(size)):
        yield Finding(where(JAEGER_VOLUME), JAEGER_VOLUME, str(size), "a size above 0 such as 2Gi")
    for name in (PATH, JAEGER_PATH):
        if name in settings and not str(settings[name]).startswith("/"):
            yield Finding(where(name), name, str(settings[name]), "a folder on the host, beginning with /")
    yield from _sizes(settings, defaults, where)


def _sizes(settings: Mapping[str, Any], defaults: Mapping[str, Any], where: Where) -> Iterator[Finding]:
    """Both sizes are sizes, and what is kept is less than the volume: what is newest is written beside it."""
    kept_text, volume_text = (str(settings.get(name, defaults.get(name))) for name in (RETENTION, VOLUME))
    kept, volume = retention_bytes(kept_text), quantity_bytes(volume_text)
    if not kept:
        yield Finding(where(RETENTION), RETENTION, kept_text, "a size above 0 such as 512MB or 4GB")
    if not volume:
        yield Finding(where(VOLUME), VOLUME, volume_text, "a size above 0 such as 5Gi")
    if kept and volume and kept >= volume:
        found = f"{kept_text}, {kept} bytes"
        expected = f"less than {VOLUME}, {volume_text}, {volume} bytes"
        yield Finding(where(RETENTION if RETENTION in settings else VOLUME), RETENTION, found, expected)
