"""What proxies refused of the configuration that istiod sent them, out of istiod's own metrics. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# istio: pkg/xds/monitoring.go. They only ever grow, so two readings show what happened in between.
METRIC = re.compile(r"^pilot_xds_(?:cds|eds|lds|rds)_reject\{([^}]*)\} (\S+)$", re.MULTILINE)
TOTAL = re.compile(r"^pilot_total_xds_rejects\{([^}]*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> dict[str, int]:
    """How often each proxy refused something and why: count by ``node: reason``."""
    found: dict[str, int] = {}
    for labels, value in METRIC.findall(text):
        names = dict(LABEL.findall(labels))
        key = f"{names.get('node', 'unknown')}: {names.get('err', 'no reason')}"
        found[key] = found.get(key, 0) + int(float(value))
    for labels, value in TOTAL.findall(text):  # of every type, those without a metric of their own too
        found[f"all proxies: {dict(LABEL.findall(labels)).get('type', 'some type')}"] = int(float(value))
    return found


def left(seconds: float, since: float, now: float) -> float:
    """How many of the seconds after a change are left. since: when it was made (0: now), on the clock of now."""
    passed = max(0.0, now - since) if since else 0.0  # a clock that was set back has not undone the change
    return max(0.0, seconds - passed)


def newer(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Refusals that came between two readings, as lines. Both: by istiod's pod; a new pod starts at none."""
    lines = []
    for pod, counts in sorted(after.items()):
        known = before.get(pod, {})
        lines += [
            f"{what} ({count - known.get(what, 0)} times)"
            for what, count in sorted(counts.items())
            if count > known.get(what, 0)
        ]
    return lines
