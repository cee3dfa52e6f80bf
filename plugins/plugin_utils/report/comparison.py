"""Three ways to a dual-stack mesh compared by what one proxy is sent: Services of each way, table and plot. Pure.

``single`` is Services of one family, in a mesh and with a proxy that know both. ``duplicated`` emulates on today's
programs what Istio's experimental-dual-stack branch of 2022 did (configuration once per family), by two single-stack
Services for each app. ``dual`` is what Istio does today: one Service with both families, one listener with an
additional address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

NAMESPACE = "twinstack-compare"
POD = "observer"
WAYS = {"single": "one family", "duplicated": "two Services (emulated)", "dual": "dual-stack Service"}
COLUMNS = {
    "bytes": "configuration, bytes of Envoy's dump",
    "listeners": "listeners",
    "clusters": "clusters",
    "routes": "virtual hosts",
    "endpoints": "addresses of endpoints",
    "memory": "Envoy's heap, bytes",
}
PORTS = [
    {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
    # All HTTP ports share one listener; each of these has one of its own.
    {"name": "tcp", "port": 9000, "targetPort": 9000, "protocol": "TCP"},
]
SPACING = 14  # pixels between two labels of the plot
NOTE = (
    "Each app has an HTTP and a TCP port. One family: single-stack Services, in a mesh and with a proxy that know both "
    "families. Two Services: what the experimental-dual-stack branch of 2022 did, emulated on today's programs by a "
    "single-stack Service of each family for each app; host names double with it.\n\n"
)
WIDTH, HEIGHT, LEFT, BOTTOM = 520, 220, 70, 30
LOOKS = {"single": "", "duplicated": ' stroke-dasharray="7,4"', "dual": ' stroke-dasharray="2,3"'}

Object = dict[str, Any]


def base(revision: str, image: str) -> list[Object]:
    """Namespace, a pod in the mesh, and a Sidecar that limits its proxy to this namespace."""
    labels = {"istio.io/rev": revision, "pod-security.kubernetes.io/enforce": "baseline"}
    container = {
        "name": POD,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", "--http-port=8080", "--udp-port=-1"],
        "ports": [{"containerPort": 8080}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {"egress": [{"hosts": ["./*"]}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": NAMESPACE, "labels": {"app": POD}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, "enableServiceLinks": False},
        },
    ]


def services(way: str, count: int, families: Sequence[str]) -> list[Object]:
    """Services for so many apps. families: both, the cluster's first one first. Raises KeyError for an unknown way.

    Names of every way are equally long, because they are part of what is counted. No other namespace sees them.
    """
    parts: dict[str, list[tuple[str, str, list[str]]]] = {
        "single": [("a", "SingleStack", [families[0]])],
        "duplicated": [(letter, "SingleStack", [family]) for letter, family in zip("ab", families, strict=True)],
        "dual": [("a", "RequireDualStack", list(families))],
    }
    only_here = {"networking.istio.io/exportTo": "."}
    # Nobody calls them, so no kube-proxy has to know them (kubernetes: pkg/proxy/apis/well_known_labels.go).
    no_rules = {"service.kubernetes.io/service-proxy-name": "none"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": f"app-{number}-{letter}",
                "namespace": NAMESPACE,
                "annotations": only_here,
                "labels": no_rules,
            },
            "spec": {"selector": {"app": POD}, "ipFamilyPolicy": policy, "ipFamilies": listed, "ports": PORTS},
        }
        for number in range(count)
        for letter, policy, listed in parts[way]
    ]


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown. results: way, services and counts of each measurement."""
    lines = ["| apps | way | " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" * (len(COLUMNS) + 2)]
    for item in results:
        cells = " | ".join(str(item["counts"][name]) for name in COLUMNS)
        lines.append(f"| {item['services']} | {WAYS[item['way']]} | {cells} |")
    return NOTE + "\n".join(lines) + "\n"


def plot(results: Sequence[Mapping[str, Any]]) -> str:
    """Bytes of configuration of one proxy by number of apps, a line for each way; one SVG that needs nothing else."""
    most = max(item["counts"]["bytes"] for item in results)
    apps = max(item["services"] for item in results)

    def x(value: float) -> float:
        return LEFT + value * (WIDTH - LEFT - 10) / apps

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - 16) / most

    labels: list[tuple[float, str]] = []
    parts = [f'<path d="M{LEFT},10 V{HEIGHT - BOTTOM} H{WIDTH}" fill="none" stroke="#888"/>']
    for way, words in WAYS.items():
        points = sorted((item["services"], item["counts"]["bytes"]) for item in results if item["way"] == way)
        if not points:
            continue
        line = " ".join(f"{x(count):.1f},{y(size):.1f}" for count, size in points)
        end = points[-1]
        parts.append(f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="2"{LOOKS[way]}/>')
        labels.append((y(end[1]) + 4, words))
    below = 0.0
    for place, words in sorted(labels):
        below = max(place, below + SPACING)
        parts.append(f'<text x="{x(apps) + 6:.1f}" y="{below:.1f}">{escape(words)}</text>')
    parts.append(f'<text x="4" y="16">{most / 1e6:.1f} MB</text>')
    for count in sorted({item["services"] for item in results}):
        parts.append(f'<text x="{x(count):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{count} apps</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 190} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="currentColor" role="img" aria-label="bytes of configuration by way">'
        f"{''.join(parts)}</svg>\n"
    )
