"""Releases under load, at the gateway and inside the mesh, over both families: not one request may be lost."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_6_scenarios import TENANTS
from tests.lab.test_8_tenant_options import CONFINED, OUTSIDE, SECURED, make, ready

pytestmark = pytest.mark.usefixtures("everything")
SPACE, PORT = "rel", 30085
GATEWAYS = {"IPv4": f"http://10.66.0.12:{PORT}/basket", "IPv6": f"http://[fd66::12]:{PORT}/basket"}
NOWHERE = "registry.example/nobody/has-it:1"  # an image that never starts
PAUSE_SECONDS = 0.1  # between two requests of one family
LOOP = """
{ while :; do curl -sg -o /dev/null -w '4 %{http_code}\\n' --max-time 8 "$FOUR"; sleep 0.1; done; } &
{ while :; do curl -sg -o /dev/null -w '6 %{http_code}\\n' --max-time 8 "$SIX"; sleep 0.1; done; }
"""


def service(*versions: str, **more: Any) -> dict[str, Any]:
    """Variables of a run in which tenant rel has service basket in these versions. more: of the route, or image."""
    image = {"image": more.pop("image")} if "image" in more else {}
    basket = {"name": "basket", "versions": list(versions), "replicas": 2, **image}
    tenant = {"name": SPACE, "http_port": PORT, "services": [basket], "routes": [{"service": "basket", **more}]}
    return {"twinstack_tenants": [*TENANTS, tenant], "scenarios_run": []}


def release(lab: Lab, *versions: str, ok: bool = True, **more: Any) -> str:
    """Run the tenants' playbook for it."""
    given = service(*versions, **more) | {"tenants_wait_timeout": 90}
    return lab.play("playbooks/tenants.yml", "-e", json.dumps(given), ok=ok)


class Load:
    """Requests to the gateway from outside the cluster, and to the Service from a pod of the mesh, until its end."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.codes: dict[str, Counter[str]] = {family: Counter() for family in GATEWAYS}
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=pair) for pair in GATEWAYS.items()]

    def _send(self, family: str, url: str) -> None:
        words = ["curl", "-sg", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "8", url]
        while not self._end.is_set():
            done = subprocess.run([*OUTSIDE, *words], capture_output=True, text=True, check=False)
            self.codes[family][done.stdout or "none"] += 1
            time.sleep(PAUSE_SECONDS)

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> dict[str, Counter[str]]:
        """End it; answers by where they were asked for and by family."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        lines = self.lab.kubectl(f"-n {SPACE} logs caller -c web").splitlines()
        inside: dict[str, Counter[str]] = {"4": Counter(), "6": Counter()}
        for line in lines:
            family, _, code = line.strip().partition(" ")
            if family in inside:
                inside[family][code] += 1
        names = {"4": "IPv4", "6": "IPv6"}
        return {f"gateway {family}": codes for family, codes in self.codes.items()} | {
            f"mesh {names[family]}": codes for family, codes in inside.items()
        }


def caller(lab: Lab) -> dict[str, Any]:
    """A pod of the mesh that sends requests to the Service's two addresses and writes down every answer."""
    four, six = sorted(
        json.loads(lab.kubectl(f"-n {SPACE} get service basket -o json"))["spec"]["clusterIPs"], key=lambda a: ":" in a
    )
    container = {
        "name": "web",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.66.1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", LOOP],
        "env": [{"name": "FOUR", "value": f"http://{four}/"}, {"name": "SIX", "value": f"http://[{six}]/"}],
        "securityContext": SECURED,
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, "securityContext": CONFINED}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "caller", "labels": {"app": "caller"}},
        "spec": spec,
    }


@pytest.fixture
def load(lab: Lab, until: Callable[..., None]) -> Iterator[Load]:
    """Tenant rel in its first version, under load."""
    release(lab, "v0.0.1")
    try:
        make(lab, SPACE, caller(lab))
        until(lambda: ready(lab, "caller", SPACE), 120, "the caller")
        found = Load(lab)
        found.start()
        yield found
        found.finish()
    finally:
        lab.kubectl(f"-n {SPACE} delete pod caller --ignore-not-found --force --grace-period=0")
        lab.play("playbooks/tenants.yml", "-e", json.dumps({"tenants_remove": [SPACE], "scenarios_run": []}))


def deployments(lab: Lab) -> set[str]:
    """Deployments of the service."""
    names = lab.kubectl(f"-n {SPACE} get deployments -o name").split()
    return {name.rpartition("/")[2] for name in names} - {"gateway"}


def versions(lab: Lab) -> set[str]:
    """Versions that answer at the gateway over both families."""
    found = set()
    for url in GATEWAYS.values():
        for _ in range(20):
            done = subprocess.run([*OUTSIDE, "curl", "-sg", url], capture_output=True, text=True, check=False)
            found.add(json.loads(done.stdout)["version"])
    return found


def test_a_release_its_promotion_a_failure_and_the_way_back_lose_no_request(lab: Lab, load: Load) -> None:
    """[v1] -> [v1, v2] by half -> [v2] -> an image that never starts -> [v2]; then in place; then back to [v1]."""
    release(lab, "v0.0.1", "v0.0.2", weights={"v0.0.1": 50, "v0.0.2": 50})
    assert versions(lab) == {"v0.0.1", "v0.0.2"}
    release(lab, "v0.0.2")
    assert versions(lab) == {"v0.0.2"} and deployments(lab) == {"basket-v0-0-2"}

    begun = time.monotonic()
    told = release(lab, "v0.0.3", image=NOWHERE, ok=False)
    took = time.monotonic() - begun
    assert f"{SPACE}/basket: Deployment {SPACE}/basket-v0-0-3" in told and NOWHERE in told, told[-3000:]
    assert took < 180, "the wait ended early"
    assert versions(lab) == {"v0.0.2"} and deployments(lab) == {"basket-v0-0-2", "basket-v0-0-3"}
    release(lab, "v0.0.2")
    assert versions(lab) == {"v0.0.2"} and deployments(lab) == {"basket-v0-0-2"}

    release(lab, "v0.0.2", image=NOWHERE, ok=False)  # of the version that has all requests
    assert versions(lab) == {"v0.0.2"}
    release(lab, "v0.0.1")
    assert versions(lab) == {"v0.0.1"} and deployments(lab) == {"basket-v0-0-1"}
    assert lab.changed(release(lab, "v0.0.1")) == {}

    answers = load.finish()
    assert len(answers) == 4
    for where, codes in answers.items():
        assert set(codes) == {"200"}, (where, codes)
        assert codes["200"] > 100, (where, "too few requests to tell")
