"""Latency and requests a second, in the mesh and outside, over each family: the same pods on the same hosts.

A client on a worker calls a server on the other by its Service's address, from sidecar to sidecar in one namespace and
without any proxy in the other. Ways and families take turns, round by round, so that what else the hosts do meets all
of them alike; the figures are medians of the rounds. Prints JSON and writes .artifacts/bench_mesh.json. The lab with
everything must be up (`make lab`): PYTHONPATH=collections .venv/bin/python tests/bench/mesh.py
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.scenarios.fortio import Result, parse_result
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index

REPO = Path(__file__).parent.parent.parent
ARTIFACTS = REPO / "inventory" / "lab" / ".artifacts"
ROUNDS, SECONDS, CONNECTIONS = 12, 4, 4  # an even number of rounds: every way is as often before the others as after
WAYS = {"meshed": {"istio.io/rev": "default"}, "unmeshed": {}}
CLIENT_NODE, SERVER_NODE = "worker1", "worker2"


def image(name: str) -> str:
    """Name with tag of a bundle's image."""
    sets = [item["images"] for item in bundle_index.read(ARTIFACTS).values() if item["kind"] == "image_set"]
    return next(str(one["name"]) for images in sets for one in images if one["name"].startswith(f"{name}:"))


def deployment(space: str, name: str, node: str) -> dict[str, Any]:
    """One pod of fortio's server, which answers and can send requests too."""
    container = {
        "name": name,
        "image": image("docker.io/fortio/fortio"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["fortio", "server", "-data-dir", "/tmp"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/fortio/rest/status", "port": 8080}, "periodSeconds": 1},
    }
    spec = {"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }


def objects() -> list[dict[str, Any]]:
    """Both namespaces with all that is in them."""
    found: list[dict[str, Any]] = []
    for way, labels in WAYS.items():
        space = f"bench-{way}"
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        service = {"selector": {"app": "server"}, "ipFamilyPolicy": "RequireDualStack", "ports": ports}
        metadata = {"name": "server", "namespace": space}
        found += [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}},
            deployment(space, "server", SERVER_NODE),
            deployment(space, "client", CLIENT_NODE),
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        ]
    return found


def play(given: dict[str, Any]) -> None:
    """Apply, or remove."""
    command = [str(REPO / ".venv/bin/ansible-playbook"), "-i", "inventory/lab", "tests/bench/mesh.yml"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg")}
    subprocess.run([*command, "-e", json.dumps(given)], cwd=REPO, env=environment, check=True, stdout=sys.stderr)


def kubectl(*words: str) -> str:
    """Output of kubectl."""
    command = [str(ARTIFACTS / "bin/kubectl"), "--kubeconfig", str(ARTIFACTS / "kubeconfig"), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def load(space: str, url: str, seconds: int) -> Result:
    """As many requests as the connections carry."""
    words = ["fortio", "load", "-quiet", "-json", "-", "-c", str(CONNECTIONS), "-qps", "-1", "-t", f"{seconds}s", url]
    return parse_result(json.loads(kubectl("-n", space, "exec", "deploy/client", "-c", "client", "--", *words)))


def measure() -> dict[str, dict[str, Any]]:
    """Medians by way and family, with every round's requests a second."""
    urls: dict[tuple[str, str], str] = {}
    for way in WAYS:
        service = json.loads(kubectl("-n", f"bench-{way}", "get", "service", "server", "-o", "json"))
        for address in service["spec"]["clusterIPs"]:
            family = "IPv6" if ":" in address else "IPv4"
            urls[way, family] = f"http://{'[' + address + ']' if ':' in address else address}/"
    for (way, _), url in urls.items():
        load(f"bench-{way}", url, 2)  # connections, caches and code that is used for the first time
    rounds: dict[tuple[str, str], list[Result]] = {key: [] for key in urls}
    for number in range(ROUNDS):
        turn = list(urls) if number % 2 else list(reversed(urls))
        for key in turn:
            rounds[key].append(load(f"bench-{key[0]}", urls[key], SECONDS))
            print(f"bench: round {number + 1}: {' '.join(key)}: {rounds[key][-1].qps} requests/s", file=sys.stderr)
    return {
        f"{way} {family}": {
            "qps": statistics.median(one.qps for one in results),
            "p50_ms": statistics.median(one.p50_ms for one in results),
            "p99_ms": statistics.median(one.p99_ms for one in results),
            "failed": sum(one.failed((200,)) for one in results),
            "requests": sum(one.requests for one in results),
            "qps_by_round": [one.qps for one in results],
        }
        for (way, family), results in rounds.items()
    }


def main() -> None:
    """Make, measure, remove."""
    wait = [
        {"api_version": "apps/v1", "kind": "Deployment", "namespace": f"bench-{way}", "names": ["server", "client"]}
        for way in WAYS
    ]
    try:
        play({"bench_objects": objects(), "bench_wait": wait})
        figures = measure()
    finally:
        play({})
    (ARTIFACTS / "bench_mesh.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
