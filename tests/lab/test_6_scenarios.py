"""Scenarios on a cluster with the mesh: green, each fault reported, a third tenant, the page in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import ARTIFACTS, PLAYBOOK, REPO, SETTINGS, Lab, environment, kill

TENANTS: list[dict[str, Any]] = yaml.safe_load((REPO / "inventory/lab/group_vars/all/tenants.yml").read_text())[
    "twinstack_tenants"
]
ALL = ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]
FAMILIES = {"IPv4", "IPv6"}


@pytest.fixture(scope="module", autouse=True)
def with_the_mesh(lab: Lab) -> Iterator[None]:
    """Runs of this module install the mesh and its tenants, unless they are there."""
    lab.mesh = True
    if SETTINGS not in os.environ:
        lab.play("playbooks/lab/site.yml", timeout=1800)
    yield
    lab.mesh = False


def wrong(lab: Lab, *names: str, ok: bool = False) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Steps that went otherwise, by scenario and family, of a run of these."""
    lab.play("playbooks/scenarios.yml", "-e", json.dumps({"scenarios_run": list(names)}), ok=ok)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in lab.report()["scenarios"]:
        steps = [step for step in result["steps"] if not step["ok"]]
        if result["id"] in names and steps:
            found[result["id"], result["family"]] = steps
    return found


def mend(lab: Lab) -> None:
    """Everything as the inventory says."""
    lab.play("playbooks/tenants.yml")


def test_all_scenarios_are_as_expected_and_leave_nothing(lab: Lab) -> None:
    assert wrong(lab, *ALL, ok=True) == {}
    results = lab.report()["scenarios"]
    assert {result["id"] for result in results} == set(ALL)
    for name in ALL:
        assert {result["family"] for result in results if result["id"] == name} >= FAMILIES
    assert all(
        result["sent"] == result["got"] > 0 for result in results if result["id"] in ("S1", "S2", "S3", "S4", "S7")
    )
    assert "twinstack-demo" not in lab.kubectl("get namespaces -o name")
    assert "twinstack-broken" not in lab.kubectl("get virtualservices.networking.istio.io -A -o name")


def test_the_page_in_a_browser(lab: Lab, tmp_path: Path) -> None:
    """Sections are there, nothing is fetched, nothing goes wrong; pictures are kept beside the report."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "chromium: found none. Try: apt install chromium"
    page = (ARTIFACTS / "report.html").resolve().as_uri()
    common = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    common.append(f"--user-data-dir={tmp_path}")
    picture = ARTIFACTS / "report.png"
    done = subprocess.run(
        [*common, "--window-size=1300,6000", f"--screenshot={picture}", page],
        capture_output=True,
        text=True,
        check=True,
    )
    assert picture.stat().st_size > 50_000
    dark, printed = ARTIFACTS / "report-dark.png", ARTIFACTS / "report.pdf"
    for how in (
        ["--force-dark-mode", "--window-size=1300,6000", f"--screenshot={dark}"],
        ["--no-pdf-header-footer", f"--print-to-pdf={printed}"],
    ):
        subprocess.run([*common, *how, page], capture_output=True, check=True)
    assert dark.stat().st_size > 50_000 and dark.read_bytes() != picture.read_bytes(), "it follows the reader's choice"
    # Half as many when what is folded on a screen is folded on paper too, where nobody can open it.
    assert printed.read_bytes().count(b"/Type /Page\n") > 12, "every step is on paper"
    shown = subprocess.run([*common, "--dump-dom", page], capture_output=True, text=True, check=True)
    for text in ("Scenarios", "Host by host", "Who called whom", "Check by check", "Where the time went", "Nodes"):
        assert f"<h2>{text}</h2>" in shown.stdout, text
    for part in ("seq", "plot", "trace"):
        assert f'class="map {part}"' in shown.stdout, part
    assert shown.stdout.count('class="map seq"') == 5, "S1 to S4 and S7"
    images = lab.report()["images"]
    assert images and all(text in shown.stdout for image in images.items() for text in image), "names and digests"
    assert "CONSOLE" not in done.stderr + shown.stderr
    fetched = r"(?:src|srcset|data|action|poster)=\"(?!data:)[^\"]|<link|@import|url\((?!#|data:)|href=\"(?!#)"
    assert re.findall(fetched, (ARTIFACTS / "report.html").read_text()) == []


def test_a_route_that_is_gone_is_reported(lab: Lab) -> None:
    lab.kubectl("-n foo delete virtualservices.networking.istio.io gateway-routes")
    try:
        found = wrong(lab, "S1")
    finally:
        mend(lab)
    assert set(found) == {("S1", "IPv4"), ("S1", "IPv6")}
    for steps in found.values():
        assert len(steps) == 5 and all("HTTP 404" in step["detail"] for step in steps), "bar is not touched"


def test_a_wrong_label_is_reported(lab: Lab) -> None:
    patch = [{"op": "replace", "path": "/spec/subsets/1/labels/version", "value": "v9"}]
    lab.kubectl(f"-n foo patch destinationrules.networking.istio.io provider --type json -p '{json.dumps(patch)}'")
    try:
        found = wrong(lab, "S2")
    finally:
        mend(lab)
    assert set(found) == {("S2", "IPv4"), ("S2", "IPv6")}
    for steps in found.values():
        assert {step["title"].partition(" with ")[2] for step in steps} == {"version: v0-0-2", "VERSION: v0-0-2"}


def test_a_raised_limit_is_reported(lab: Lab) -> None:
    raised = json.loads(
        json.dumps(TENANTS).replace('{"requests": 5, "at": "gateway"', '{"requests": 200, "at": "gateway"')
    )
    lab.play("playbooks/tenants.yml", "-e", json.dumps({"twinstack_tenants": raised}))
    try:
        found = wrong(lab, "S5")
    finally:
        mend(lab)
    (step,) = found["S5", "both"]
    assert step["title"].startswith("limited") and "accepted" in step["detail"]
    assert set(found) == {("S5", "both"), ("S5", "IPv4"), ("S5", "IPv6")}


def test_a_gateway_without_its_second_family_is_reported_in_that_family_alone(lab: Lab) -> None:
    """The first family of a Service cannot be taken away: IPv6 in a cluster that is IPv4 first."""
    second = lab.keep_first_family("foo", "gateway")
    try:
        found = wrong(lab, "S1", "S3")
    finally:
        mend(lab)
    assert set(found) == {("S1", second), ("S3", second)}


def test_everything_is_as_before(lab: Lab) -> None:
    assert wrong(lab, "S1", "S2", "S3", "S5", ok=True) == {}


def test_a_run_that_was_cut_off_in_a_scenario_is_repaired_by_the_next(lab: Lab, until: Callable[..., None]) -> None:
    command = [str(PLAYBOOK), "-i", "inventory/lab", "playbooks/scenarios.yml", *lab.settings()]
    with subprocess.Popen(
        command,
        cwd=REPO,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        broken_route = "get virtualservices.networking.istio.io -n bar -o name"
        until(lambda: "twinstack-broken" in lab.kubectl(broken_route), 150, "S4, with its broken route")
        kill(run.pid)
    assert "twinstack-broken" in lab.kubectl(broken_route), "it was cut off too late"
    assert "twinstack-demo" in lab.kubectl("get namespaces -o name")
    assert wrong(lab, "S1", "S7", ok=True) == {}
    assert "twinstack-demo" not in lab.kubectl("get namespaces -o name")
    assert "twinstack-broken" not in lab.kubectl(broken_route)


def test_a_third_tenant_comes_and_goes_with_all_that_is_its_own(lab: Lab) -> None:
    """The five lines of docs/tenants.md."""
    text = (REPO / "docs/tenants.md").read_text()
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", text, re.S) if "name: shop" in one]
    third = yaml.safe_load(block)["twinstack_tenants"]

    def objects() -> set[str]:
        kinds = "deployments,services,networkpolicies,secrets,configmaps,poddisruptionbudgets,resourcequotas"
        istio = ("gateways", "virtualservices", "destinationrules", "sidecars", "envoyfilters", "serviceentries")
        kinds += "".join(f",{kind}.networking.istio.io" for kind in istio)
        return set(
            lab.kubectl(f"get {kinds} -A --no-headers -o custom-columns=N:.metadata.namespace,M:.metadata.name").split(
                "\n"
            )
        )

    before = objects()
    try:
        lab.play("playbooks/tenants.yml", "-e", json.dumps({"twinstack_tenants": [*TENANTS, *third]}))
        asked = [{"tenant": "shop", "service": "basket", "headers": {"version": "v0-0-2"}, "answer": ["basket v0.0.2"]}]
        given = {
            "twinstack_tenants": [*TENANTS, *third],
            "scenarios_all": [{"id": "third", "title": "Third", "requests": asked}],
            "scenarios_run": ["third"],
        }
        lab.play("playbooks/scenarios.yml", "-e", json.dumps(given))
    finally:
        mend(lab)
    assert objects() == before
    assert "namespace/shop" not in lab.kubectl("get namespaces -o name")
