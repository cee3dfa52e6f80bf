"""What is a site's own: a label that somebody set, a Service that no tenant lists, an inventory with other tenants."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import REPO, Lab
from tests.lab.test_8_choices import OUTSIDE, make, service

Until = Callable[..., None]
pytestmark = pytest.mark.usefixtures("everything")
WORKER1 = {"IPv4": "10.66.0.12", "IPv6": "[fd66::12]"}
BAR_PORT = 30081
A_SECOND = 4  # requests that the limit of the test's own lets through
BURST = 30


def from_outside(url: str, *words: str) -> str:
    """What curl prints on the lab's own machine."""
    command = [*OUTSIDE, "curl", "-sSg", "--max-time", "10", *words, url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def as_before(lab: Lab) -> Iterator[None]:
    """Tenants are those of the lab's inventory again."""
    yield
    lab.play("playbooks/tenants.yml")


def test_a_namespace_that_asks_for_two_injections_is_refused(lab: Lab, as_before: None) -> None:
    """Which of the two revisions its pods get would be the webhooks' choice, not the inventory's."""
    pods = lab.kubectl("-n foo get pods -o name")
    lab.kubectl("label namespace foo istio-injection=enabled")
    try:
        output = lab.play("playbooks/tenants.yml", ok=False)
    finally:
        lab.kubectl("label namespace foo istio-injection-")
    assert "found the label istio-injection=enabled beside istio.io/rev" in output
    assert "kubectl label namespace foo istio-injection-" in output, "what to do about it"
    assert lab.kubectl("-n foo get pods -o name") == pods


def test_a_service_that_no_tenant_lists_has_releases_and_a_limit(lab: Lab, as_before: None, until: Until) -> None:
    route: dict[str, Any] = {"namespace": "bar", "service": "other", "versions": ["v0.0.1", "v0.0.2"]}
    route |= {"match": "prefix", "gateway": "gateway", "path": "/other"}
    limit = {"namespace": "bar", "name": "own", "selector": {"app": "bar"}, "requests": A_SECOND}
    urls = {family: f"http://{address}:{BAR_PORT}/other" for family, address in WORKER1.items()}

    def version(url: str, value: str) -> str:
        time.sleep(2 / A_SECOND)  # an answer of the limit would tell nothing
        answer = from_outside(url, "-H", f"version: {value}")
        return str(json.loads(answer)["version"]) if answer.startswith("{") else answer

    make(lab, "bar", service("other", "bar", 80, "http"))
    try:
        lab.play("playbooks/tenants.yml", "-e", json.dumps({"canary_routes": [route], "rate_limit_limits": [limit]}))
        for family, url in urls.items():
            until(lambda url=url: version(url, "v0-0-2") == "v0.0.2", 30, f"the release in {family}")
            told = {value: version(url, value) for value in ("v0-0-2-beta", "v0-0-1", "beta-v0-0-2", "V0-0-2")}
            assert told == {"v0-0-2-beta": "v0.0.2", "v0-0-1": "v0.0.1", "beta-v0-0-2": "v0.0.1", "V0-0-2": "v0.0.1"}
            time.sleep(2)
            with ThreadPoolExecutor(BURST) as threads:
                asked = [
                    threads.submit(from_outside, url, "-o", "/dev/null", "-w", "%{http_code}") for _ in range(BURST)
                ]
                started = time.monotonic()
                codes = Counter(request.result() for request in asked)
                seconds = time.monotonic() - started
            # A bucket at each of the first version's pods, which is one; full at first, and filled again each second.
            assert set(codes) == {"200", "429"}, (family, codes)
            assert A_SECOND <= codes["200"] <= A_SECOND * (2 + seconds), (family, codes, seconds)
        assert json.loads(from_outside(urls["IPv4"].replace("/other", "/bar")))["service"] == "bar"
    finally:
        lab.kubectl("-n bar delete service other")
        lab.play("playbooks/tenants.yml")
    for url in urls.values():
        until(lambda url=url: from_outside(url, "-o", "/dev/null", "-w", "%{http_code}") == "404", 30, "no route")


def test_scenarios_prove_the_tenants_of_another_inventory(lab: Lab, as_before: None, tmp_path: Path) -> None:
    """A folder somewhere else with one tenant and scenarios of its own, of which one is wrong."""
    folder = tmp_path / "rack"
    # What the lab's runs left of the bundle goes with it, what they proved does not.
    shutil.copytree(REPO / "inventory/lab", folder, ignore=shutil.ignore_patterns("report.*", "runs", "run.json"))
    steps = [
        {"tenant": "books", "service": "shelf", "headers": {"edition": "v0-0-2"}, "answer": ["shelf v0.0.2"]},
        {"tenant": "books", "service": "shelf", "call": "till", "answer": ["shelf v0.0.1", "till v0.0.1"]},
        {"tenant": "books", "from": "shelf", "service": "till", "answer": ["till v0.0.1"]},
    ]
    # It answers 200 to whom its network policy lets in, and a tenant's pods are not among those.
    kept_out = {"tenant": "books", "from": "till", "url": "http://prometheus.observability:9090/-/ready"}
    kept_out["answer"] = "refused"
    wrong = {"tenant": "books", "service": "shelf", "answer": ["shelf v0.0.9"]}
    own = {
        "twinstack_tenants": [
            {
                "name": "books",
                "http_port": 30180,
                "gateway_replicas": 1,
                "services": [{"name": "shelf", "versions": ["v0.0.1", "v0.0.2"]}, {"name": "till"}],
                "routes": [{"service": "shelf", "headers": ["edition"]}],
            }
        ],
        "scenarios_outside_command": OUTSIDE,
        "scenarios_all": [
            {"id": "lending", "title": "Who lends what", "requests": [*steps, kept_out]},
            {"id": "wrong", "title": "An edition that is not there", "requests": [wrong]},
        ],
    }
    (folder / "group_vars/all/tenants.yml").write_text(yaml.safe_dump(own))

    def report() -> dict[tuple[str, str], bool]:
        data = json.loads((folder / "artifacts/report.json").read_text())
        return {(result["id"], result["family"]): result["ok"] for result in data["scenarios"]}

    lab.play("playbooks/tenants.yml", inventory=folder)
    assert lab.changed(lab.play("playbooks/tenants.yml", inventory=folder)) == {}
    lab.play("playbooks/demo.yml", "-e", "scenarios_run=lending", inventory=folder)
    assert report() == {("lending", "IPv4"): True, ("lending", "IPv6"): True}
    output = lab.play("playbooks/demo.yml", inventory=folder, ok=False)
    assert report() == {
        (name, family): name == "lending" for name in ("lending", "wrong") for family in ("IPv4", "IPv6")
    }
    assert "v0.0.9" in output, "what was expected is on the screen"
    assert "Who lends what" in (folder / "artifacts/report.html").read_text()
    unknown = lab.play("playbooks/demo.yml", "-e", "scenarios_run=S1,lending", inventory=folder, ok=False)
    assert "S1" in unknown and "lending" in unknown
