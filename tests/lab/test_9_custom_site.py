"""What is a site's own: a foreign label, a Service that no tenant lists, an inventory with other tenants.

And what a tenant has besides its routes: who may come in, how much it may have, its certificates, and releases that end
without a lost request.
"""

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

from tests.lab.conftest import PAGES, REPO, Lab
from tests.lab.test_6_scenarios import TENANTS
from tests.lab.test_7_telemetry import JAEGER_TRACES
from tests.lab.test_8_tenant_options import OUTSIDE, make, ready, service, start, stop

Until = Callable[..., None]
pytestmark = pytest.mark.usefixtures("everything")
SECRETS = REPO / "inventory/lab/.secrets"
WORKER1 = {"IPv4": "10.66.0.12", "IPv6": "[fd66::12]"}
BAR_PORT = 30081
A_SECOND = 4  # requests that the limit of the test's own lets through
BURST = 30


def from_outside(url: str, *words: str) -> str:
    """What curl prints on the lab's own machine."""
    command = [*OUTSIDE, "curl", "-sSg", "--max-time", "10", *words, url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def inside(lab: Lab, url: str, value: str) -> str:
    """Which service and version a pod of bar meets; the demo service's image has Python and no curl."""
    program = (
        "import json, urllib.request as u; "
        f'a = json.load(u.urlopen(u.Request("{url}", headers={{"version": "{value}"}}), timeout=5)); '
        'print(a["service"], a["version"])'
    )
    return lab.kubectl(f"-n bar exec deploy/bar-v0-0-1 -c bar -- python3 -c '{program}' || true").strip()


@pytest.fixture
def as_before(lab: Lab) -> Iterator[None]:
    """Tenants are those of the lab's inventory again, and books, of another one, is gone."""
    yield
    lab.play("playbooks/tenants.yml", "-e", json.dumps({"tenants_remove": ["books"]}))


def test_a_namespace_with_two_injection_labels_is_refused(lab: Lab, as_before: None) -> None:
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


def test_what_validation_rejected_is_rejected_until_it_is_mended(lab: Lab, as_before: None) -> None:
    """By a run that changes nothing, too; and once it is validated, it is not validated again."""
    limit = {"namespace": "bar", "name": "own", "selector": {"app": "bar"}, "requests": 1000}
    given = ("playbooks/tenants.yml", "-e", json.dumps({"tenants_rate_limits": [limit]}))
    lost = {"hosts": ["lost.example"], "gateways": ["no-such"], "http": [{"route": [{"destination": {"host": "bar"}}]}]}
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    make(lab, "bar", kind | {"metadata": {"name": "lost", "namespace": "bar"}, "spec": lost})
    validated = "slowest: Validate the tenants with istioctl"
    try:
        for _ in range(2):
            assert "Error IST0101" in lab.play(*given, ok=False)
    finally:
        lab.kubectl("-n bar delete virtualservices.networking.istio.io lost")
    output = lab.play(*given)
    assert lab.changed(output) == {} and validated in output
    assert validated not in lab.play(*given)


def test_a_service_that_no_tenant_lists_has_releases_and_a_limit(lab: Lab, as_before: None, until: Until) -> None:
    route: dict[str, Any] = {"namespace": "bar", "service": "other", "versions": ["v0.0.1", "v0.0.2"]}
    route |= {"match": "prefix", "gateway": "gateway", "path": "/other"}
    limit = {"namespace": "bar", "name": "own", "selector": {"app": "bar"}, "requests": A_SECOND}
    urls = {family: f"http://{address}:{BAR_PORT}/other" for family, address in WORKER1.items()}

    def version(url: str, value: str) -> str:
        time.sleep(2 / A_SECOND)  # an answer of the limit would show nothing
        answer = from_outside(url, "-H", f"version: {value}")
        return str(json.loads(answer)["version"]) if answer.startswith("{") else answer

    # Of the other order than the cluster's: both of its addresses must lead to the same routes all the same.
    families = json.loads(lab.kubectl("-n bar get service bar -o json"))["spec"]["ipFamilies"]
    made = service("other", "bar", 80, "http")
    made["spec"]["ipFamilies"] = families[::-1]
    make(lab, "bar", made)
    try:
        lab.play(
            "playbooks/tenants.yml",
            "-e",
            json.dumps({"tenants_canary_routes": [route], "tenants_rate_limits": [limit]}),
        )
        for family, url in urls.items():
            until(lambda url=url: version(url, "v0-0-2") == "v0.0.2", 30, f"the release in {family}")
            told = {value: version(url, value) for value in ("v0-0-2-beta", "v0-0-1", "beta-v0-0-2", "V0-0-2")}
            assert told == {"v0-0-2-beta": "v0.0.2", "v0-0-1": "v0.0.1", "beta-v0-0-2": "v0.0.1", "V0-0-2": "v0.0.1"}
        for place in ("other", *json.loads(lab.kubectl("-n bar get service other -o json"))["spec"]["clusterIPs"]):
            time.sleep(2 / A_SECOND)
            url = f"http://{f'[{place}]' if ':' in place else place}/"
            assert inside(lab, url, "v0-0-2-beta") == "bar v0.0.2", "inside, by name and by each address"
        for family, url in urls.items():
            time.sleep(2)
            started = time.monotonic()
            with ThreadPoolExecutor(BURST) as threads:
                asked = [
                    threads.submit(from_outside, url, "-o", "/dev/null", "-w", "%{http_code}") for _ in range(BURST)
                ]
                codes = Counter(request.result() for request in asked)
                seconds = time.monotonic() - started
            # A bucket at each of the first version's pods, which is one; full at first, and filled again each second.
            assert set(codes) == {"200", "429"}, (family, codes)
            assert A_SECOND <= codes["200"] <= A_SECOND * (2 + seconds), (family, codes, seconds)
        time.sleep(2)  # the bucket fills again
        assert json.loads(from_outside(urls["IPv4"].replace("/other", "/bar")))["service"] == "bar"
    finally:
        lab.kubectl("-n bar delete service other")
        lab.play("playbooks/tenants.yml")
    for url in urls.values():
        until(lambda url=url: from_outside(url, "-o", "/dev/null", "-w", "%{http_code}") == "404", 30, "no route")


def test_scenarios_verify_the_tenants_of_another_inventory(lab: Lab, as_before: None, tmp_path: Path) -> None:
    """A folder somewhere else with one tenant and scenarios of its own, of which one is wrong."""
    folder = tmp_path / "rack"
    # What the lab's runs left of the bundle goes with it, what they verified does not.
    shutil.copytree(REPO / "inventory/lab", folder, ignore=shutil.ignore_patterns("report.*", "runs", "run.json"))
    steps: list[dict[str, Any]] = [
        {"tenant": "books", "from": "till", "service": "shelf", "answer": ["shelf v0.0.1"]},
        {"tenant": "books", "service": "shelf", "headers": {"edition": "v0-0-2"}, "answer": ["shelf v0.0.2"]},
        {"tenant": "books", "service": "shelf", "call": "till", "answer": ["shelf v0.0.1", "till v0.0.1"]},
        {"tenant": "books", "from": "shelf", "service": "till", "answer": ["till v0.0.1"]},
    ]
    # It answers 200 to whoever gets there; the network policies of a tenant do not let its pods out to it.
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
        data = json.loads((folder / ".artifacts/report.json").read_text())
        return {(result["id"], result["family"]): result["ok"] for result in data["scenarios"]}

    refused = lab.play("playbooks/tenants.yml", inventory=folder, ok=False)
    assert "a namespace cannot be renamed" in refused, "nobody said that the lab's own tenants go"
    assert "namespace/books" not in lab.kubectl("get namespaces -o name")
    named = ("-e", json.dumps({"tenants_remove": [one["name"] for one in TENANTS]}))
    lab.play("playbooks/tenants.yml", *named, inventory=folder)
    assert lab.changed(lab.play("playbooks/tenants.yml", inventory=folder)) == {}
    lab.play("playbooks/scenarios.yml", "-e", "scenarios_run=lending", inventory=folder)
    assert report() == {("lending", "IPv4"): True, ("lending", "IPv6"): True}
    output = lab.play("playbooks/scenarios.yml", inventory=folder, ok=False)
    assert report() == {
        (name, family): name == "lending" for name in ("lending", "wrong") for family in ("IPv4", "IPv6")
    }
    assert "v0.0.9" in output, "what was expected is on the screen"
    assert "Who lends what" in (folder / ".artifacts/report.html").read_text()
    unknown = lab.play("playbooks/scenarios.yml", "-e", "scenarios_run=S1,lending", inventory=folder, ok=False)
    assert "S1: found no such scenario" in unknown.replace("\n", " ")


def test_a_tenants_certificate_leads_to_its_services_on_every_host(lab: Lab) -> None:
    """By the authority of the project's own, which is what a client is given."""
    authority = str(SECRETS / "gateways/ca.crt")
    for address in ("10.66.0.11", "10.66.0.12", "10.66.0.13", "[fd66::11]", "[fd66::12]", "[fd66::13]"):
        told = from_outside(f"https://{address}:30443/foo", "--cacert", authority, "-H", "version: v0-0-2")
        assert told.startswith("{") and json.loads(told)["version"] == "v0.0.2", (address, told)


def test_no_foreign_pod_gets_into_a_tenant_past_its_gateway(lab: Lab, until: Until) -> None:
    """A pod that no policy restricts calls a pod of bar itself: it may not even connect, in either family."""
    pods = json.loads(lab.kubectl("-n bar get pods -l app=bar -o json"))["items"]
    addresses = [item["ip"] for item in pods[0]["status"]["podIPs"]]
    start(lab, "stranger", space="default", meshed=False)
    start(lab, "neighbour", space="bar", meshed=False)

    def connects(space: str, name: str, address: str, port: int) -> str:
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        said = lab.kubectl(f"-n {space} exec {name} -c web -- /agnhost connect {place} --timeout=3s 2>&1 || true")
        return (said.strip() or "connected").splitlines()[0]

    try:
        until(lambda: ready(lab, "stranger", "default") and ready(lab, "neighbour", "bar"), 60, "the pods")
        assert len(addresses) == 2
        for address in addresses:
            for port in (8080, 15006):
                assert connects("default", "stranger", address, port) == "TIMEOUT", (address, port)
                assert connects("bar", "neighbour", address, port) == "connected", "the tenant's own pods come through"
    finally:
        stop(lab, "stranger", "default")
        stop(lab, "neighbour", "bar")


def test_a_tenant_has_no_more_than_its_quota(lab: Lab) -> None:
    allowed = json.loads(lab.kubectl("-n bar get resourcequota -o json"))["items"][0]["status"]
    free = int(allowed["hard"]["services"]) - int(allowed["used"]["services"])
    listed = [service(f"more-{number}", "nobody", 80, "http") for number in range(free + 1)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": listed})
    try:
        said = lab.kubectl(f"-n bar apply -f - 2>&1 <<'END' || true\n{text}\nEND")
        assert said.count("exceeded quota") == 1, said
    finally:
        lab.kubectl(f"-n bar delete service --ignore-not-found {' '.join(one['metadata']['name'] for one in listed)}")


def test_a_pod_that_opted_out_is_named_where_tenants_move(lab: Lab, until: Until) -> None:
    start(lab, "alone", meshed=False)
    try:
        until(lambda: ready(lab, "alone"), 60, "the pod")
        output = lab.play("playbooks/istio/upgrade_tenants.yml")
        assert "foo: not in the mesh, and not moved: pods alone" in output.replace("\n", " ")
        assert lab.changed(output) == {}
    finally:
        stop(lab, "alone")


def test_a_release_is_recreated_without_a_lost_request(lab: Lab, until: Until) -> None:
    """Every pod of bar is replaced while requests come from outside over both families, eight requests at a time."""
    ended = False

    def send(url: str) -> list[str]:
        codes = []
        while not ended:
            codes.append(from_outside(url, "-o", "/dev/null", "-w", "%{http_code}"))
        return codes

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(send, f"http://{address}:{BAR_PORT}/bar") for address in list(WORKER1.values()) * 4]
        try:
            lab.kubectl("-n bar rollout restart deployment bar-v0-0-1 bar-v0-0-2")
            for name in ("bar-v0-0-1", "bar-v0-0-2"):
                until(
                    lambda name=name: (
                        "successfully" in lab.kubectl(f"-n bar rollout status deployment {name} --timeout=90s")
                    ),
                    100,
                    name,
                )
            pods = "-n bar get pods -l app=bar --no-headers -o name"
            until(lambda: len(lab.kubectl(pods).split()) == 2, 90, "the former pods are gone")
        finally:
            ended = True
        codes = Counter(code for answers in asked for code in answers.result())
    assert set(codes) == {"200"} and codes["200"] > 100, codes


@pytest.mark.parametrize(("percent", "traced"), [(100, 20), (0, 0)])
def test_as_many_requests_are_traced_as_the_inventory_says(lab: Lab, until: Until, percent: int, traced: int) -> None:
    """Twenty requests without trace headers."""

    def traces() -> int:
        since = f"start={begun}&limit=1000&service=gateway.bar"
        found = json.loads(lab.kubectl(f"get --raw '{PAGES}/{JAEGER_TRACES}?{since}'"))["data"]
        return len(found or [])

    try:
        lab.play("playbooks/mesh.yml", "-e", f"istio_trace_sampling_percent={percent}")
        time.sleep(10)  # proxies hear of it
        begun = int(time.time() * 1e6)
        for url in [f"http://{address}:{BAR_PORT}/bar" for address in WORKER1.values()] * 10:
            assert from_outside(url, "-o", "/dev/null", "-w", "%{http_code}") == "200"
        if traced:
            until(lambda: traces() == traced, 30, f"{traced} traces")
        else:
            time.sleep(15)
        assert traces() == traced
    finally:
        lab.play("playbooks/mesh.yml")


def test_a_look_at_what_stands_changes_nothing(lab: Lab) -> None:
    assert lab.changed(lab.play("site.yml", "--check", "--diff", "--skip-tags", "verify")) == {}
    third = [*TENANTS, {"name": "shop", "http_port": 30082}]
    output = lab.play("playbooks/tenants.yml", "--check", "--diff", "-e", json.dumps({"twinstack_tenants": third}))
    assert lab.changed(output) and "name: shop" in output
    assert "namespace/shop" not in lab.kubectl("get namespaces -o name")
