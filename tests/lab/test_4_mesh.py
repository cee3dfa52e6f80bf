"""The mesh on a cluster that was there before, IPv4 first; then one thing of it broken at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Part
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import ids
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import index as bundle_index
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions

from tests.lab.conftest import ARTIFACTS, Lab

WORKERS = {"worker1", "worker2"}
BAR = {"name": "bar", "http_port": 30081, "https_port": 30444, "gateway_replicas": 1}
Failure = tuple[str, str]  # group, family


@pytest.fixture(scope="module", autouse=True)
def with_the_mesh(lab: Lab) -> Iterator[None]:
    """Runs of this module install the mesh."""
    lab.mesh = True
    yield
    lab.mesh = False


def broken(lab: Lab) -> dict[Failure, set[str]]:
    """Where requests started that failed, by group and family, of a verification that must fail."""
    lab.play("playbooks/verify.yml", "-e", "verify_settle_timeout=12", ok=False)
    found: dict[Failure, set[str]] = {}
    for probe in lab.failed():
        found.setdefault((probe["group"], probe["family"]), set()).add(probe["from"])
    return found


def counts(lab: Lab, group: str) -> tuple[int, int]:
    """Failed and all probes of a group in the last report."""
    probes = [probe for probe in lab.report()["probes"] if probe["group"] == group]
    return sum(1 for probe in probes if not probe["ok"]), len(probes)


def targets(lab: Lab, group: str, family: str) -> set[str]:
    """What the failed probes of a group and family in the last report were directed at."""
    return {probe["to"] for probe in lab.failed() if (probe["group"], probe["family"]) == (group, family)}


TENANTS = {"foo", "bar"}
# A line for each proxy of the tenants' pods on a host: its process, and how many of istio-cni's rules its network has
# in IPv4 and in IPv6. Pods of a verification may be on their way out.
PROXIES_RULES = """
for process in $(pgrep -f 'pilot-agent proxy [s]idecar --domain (foo|bar)[.]'); do
  four=$(nsenter --net=/proc/$process/ns/net iptables-save -t nat 2>/dev/null | grep -c ISTIO_)
  six=$(nsenter --net=/proc/$process/ns/net ip6tables-save -t nat 2>/dev/null | grep -c ISTIO_)
  echo $process $four $six
done
"""


def sidecars(lab: Lab) -> Counter[str]:
    """How many running pods of the tenants have a proxy beside them, by host."""
    pods = json.loads(lab.kubectl("get pods -A --field-selector status.phase=Running -o json"))["items"]
    return Counter(
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["metadata"]["namespace"] in TENANTS
        and "istio-proxy" in {one["name"] for one in pod["spec"].get("initContainers", [])}
    )


def proxies(lab: Lab, space: str) -> set[str]:
    """Revisions of the proxies in a namespace, by what istiod wrote into each pod."""
    path = "{.items[*].metadata.annotations.sidecar\\.istio\\.io/status}"
    return set(re.findall(r'"revision":"(\w+)"', lab.kubectl(f"-n {space} get pods -o jsonpath='{path}'")))


def proxy_images(lab: Lab, space: str) -> set[str]:
    """Images of the proxies in a namespace, sidecars' and gateways'."""
    pods = json.loads(lab.kubectl(f"-n {space} get pods -o json"))["items"]
    containers = [one for pod in pods for one in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", []))]
    return {one["image"] for one in containers if one["name"] == "istio-proxy"}


def test_a_run_adds_the_mesh_and_verifies_it(lab: Lab) -> None:
    lab.play("playbooks/lab/site.yml", timeout=1800)
    assert lab.failed() == []
    assert lab.report()["skipped"] == []
    assert {probe["group"] for probe in lab.report()["probes"]} >= set(ids(Part.MESH, Part.TENANTS, Part.TELEMETRY))


def test_the_second_run_changes_nothing(lab: Lab) -> None:
    assert lab.changed(lab.play("site.yml", "--skip-tags", "verify")) == {}
    record = lab.run_record()
    assert max(count for hosts in record["ssh_executions_by_role"].values() for count in hosts.values()) <= 6
    assert record["tasks"] <= 80


def test_istios_own_analysis_is_clean(lab: Lab) -> None:
    lab.play("tests/lab/istioctl.yml")


def test_a_configuration_that_proxies_refuse_fails_the_run_and_raises_an_alert(
    lab: Lab, until: Callable[..., None]
) -> None:
    """istiod takes it, Envoy does not: the old configuration stays and everything would look well."""
    config = {"meshConfig": {"accessLogFile": "/dev/stdout", "accessLogFormat": "%NO_SUCH_WORD%\n"}}
    revisions = [{"name": "stable", "default": True, "settings": config}]
    given = {"istio_revisions": revisions, "istio_rejected_config_seconds": 20}
    assert "ConfigurationRejected" not in lab.alerts()
    try:
        output = lab.play("playbooks/mesh.yml", "-e", json.dumps(given), ok=False)
        until(lambda: "ConfigurationRejected" in lab.alerts(), 90, "an alert")
    finally:
        lab.play("playbooks/mesh.yml")
    assert "Proxies refused their new configuration" in output


def placed(lab: Lab, space: str, app: str) -> dict[str, str]:
    """Hosts of an app's pods that run, by name of the pod."""
    what = f"-n {space} get pods -l app={app} -o json --field-selector status.phase=Running"
    pods = json.loads(lab.kubectl(what))["items"]
    return {
        pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
    }


def test_pods_of_the_mesh_say_what_they_need_and_leave_a_host_one_after_the_other(
    lab: Lab, until: Callable[..., None]
) -> None:
    """What a drain needs: two istiods, or a tenant's two gateways, are on two hosts and never go both at once."""
    pods = json.loads(lab.kubectl("get pods -A -o json"))["items"]
    needs = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}/{one['name']}": one["resources"]
        for pod in pods
        for one in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        if "/istio/" in one["image"]
    }
    for part in ("istiod-stable", "istio-cni", "foo/gateway", "bar/gateway", "/istio-proxy"):
        assert [name for name in needs if part in name], part
    assert [
        name
        for name, need in needs.items()
        if not {"cpu", "memory"} <= set(need.get("requests", {})) or "memory" not in need.get("limits", {})
    ] == []
    for space, app in (("istio-system", "istiod"), ("foo", "gateway")):
        before = placed(lab, space, app)
        assert set(before.values()) == WORKERS and len(before) == 2, before
        script = ""
        for name in before:
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space}}
            script += f"echo '{json.dumps(eviction)}' | kubectl --kubeconfig /etc/kubernetes/admin.conf create --raw "
            script += f"/api/v1/namespaces/{space}/pods/{name}/eviction -f - 2>&1 || true\n"
        told = lab.shell("cp1", script)
        assert told.count('"Success"') == 1 and told.count("disruption budget") == 1, told

        def replaced(space: str = space, app: str = app, before: dict[str, str] = before) -> bool:
            now = placed(lab, space, app)
            return len(now) == 2 and len(set(now) - set(before)) == 1

        until(replaced, 90, f"another {app}")
        lab.kubectl(f"-n {space} rollout status deployment -l app={app} --timeout=90s")
        assert set(placed(lab, space, app).values()) == WORKERS, "not on the host of the one that stayed"


def test_ipv6_that_goes_around_the_proxies_is_reported(lab: Lab) -> None:
    """Without the proxies' own setting everything looks well, and IPv6 is in no proxy's way."""
    config = {"meshConfig": {"defaultConfig": {"proxyMetadata": {"ISTIO_DUAL_STACK": "false"}}}}
    revisions = [{"name": "stable", "default": True, "settings": config}]
    try:
        lab.play("playbooks/mesh.yml", "-e", json.dumps({"istio_revisions": revisions}))
        found = broken(lab)
    finally:
        lab.play("playbooks/mesh.yml")
    assert found == {
        ("mesh-rules", "IPv6"): WORKERS,
        ("mesh-mtls", "IPv6"): WORKERS,
        ("mesh-name", "IPv6"): WORKERS,
        ("mesh-wire", "IPv6"): WORKERS,
        ("mesh-plain", "IPv6"): WORKERS,
        ("mesh-strict", "IPv6"): {"cp1", *WORKERS},
        ("mesh-metrics", "IPv6"): {"worker1"},
        ("mesh-trace", "IPv6"): {"worker1"},
    }


def test_what_is_plain_not_routed_not_counted_or_not_traced_is_reported(lab: Lab) -> None:
    """Five faults at once, each in groups of its own.

    Plain text is accepted, a gateway has no IPv6, another no HTTPS, requests are not counted, and no spans are sent.
    """
    without_https = [{"op": "remove", "path": "/spec/servers/1"}]
    try:
        lab.play("playbooks/mesh.yml", "-e", "istio_mtls_mode=PERMISSIVE")
        assert lab.keep_first_family("foo", "gateway") == "IPv6"
        lab.kubectl(f"-n bar patch gateways.networking.istio.io gateway --type json -p '{json.dumps(without_https)}'")
        lab.kubectl("-n istio-system delete envoyfilters.networking.istio.io request-metrics-stable")
        lab.kubectl("-n istio-system delete telemetries.telemetry.istio.io mesh-stable")
        found = broken(lab)
    finally:
        lab.play("playbooks/mesh.yml")
        lab.play("playbooks/tenants.yml")
    groups = ("mesh-strict", "mesh-metrics", "mesh-trace", "mesh-graph", "tenant-gateway")
    assert set(found) == {(group, family) for group in groups for family in ("IPv4", "IPv6")}
    assert found["mesh-strict", "IPv4"] == found["mesh-strict", "IPv6"] == {"cp1", *WORKERS}
    assert targets(lab, "tenant-gateway", "IPv4") == {"bar-https"}
    assert targets(lab, "tenant-gateway", "IPv6") == {"foo-http", "foo-https", "bar-https"}
    assert targets(lab, "mesh-metrics", "IPv6") == {"source", "destination", "count"}
    assert targets(lab, "mesh-trace", "IPv6") == WORKERS


def own_build(lab: Lab) -> dict[str, object]:
    """A site's own build: the bundle's images by another registry's name, which every worker has already."""
    built = bundle_versions.of_all()["istio"]
    hub, tag = "site.example/mesh", f"{built}-site.1"
    for image in ("pilot", "proxyv2"):
        tagged = f"ctr -n k8s.io images tag --force docker.io/istio/{image}:{built} {hub}/{image}:{tag}"
        for host in sorted(WORKERS):
            lab.shell(host, tagged)
    istioctl = bundle_index.read(ARTIFACTS)["istioctl"]["path"]
    return {"hub": hub, "tag": tag, "istioctl": istioctl, "plain_envoy": True}


def test_tenants_move_between_revisions_and_back_without_losing_a_request(lab: Lab) -> None:
    """The other one is of a build of the site's own."""
    build = own_build(lab)
    revisions = {"istio_revisions": [{"name": "stable", "default": True}, {"name": "canary", "build": build}]}
    lab.play("tests/lab/workload.yml")
    lab.play("playbooks/mesh.yml", "-e", json.dumps(revisions))
    try:
        for revision, image in (
            ("canary", f"{build['hub']}/proxyv2:{build['tag']}"),
            ("stable", "docker.io/istio/proxyv2"),
        ):
            tenants = [{"name": "foo", "http_port": 30080, "https_port": 30443, "revision": revision}, BAR]
            given = revisions | {"twinstack_tenants": tenants, "istio_upgrade_path": "/hostname", "scenarios_run": []}
            output = lab.play("playbooks/istio/upgrade_tenants.yml", "-e", json.dumps(given), "-v")
            assert "Deployment foo/gateway" in output and "Deployment foo/web" in output
            assert proxies(lab, "foo") == {revision}
            assert proxies(lab, "bar") == {"stable"}
            running = lab.kubectl("-n foo get pods -o jsonpath='{.items[*].spec.containers[*].image}'")
            running += lab.kubectl("-n foo get pods -o jsonpath='{.items[*].spec.initContainers[*].image}'")
            assert image in running and ("site.example" in running) is (revision == "canary")
            if revision == "canary":
                refused = lab.play("playbooks/mesh.yml", ok=False)
                assert "not to remove revision canary of the mesh" in refused
                assert "namespace foo: label: found istio.io/rev=canary" in refused and "Deployment foo/web" in refused
                assert "istiod-canary" in lab.kubectl("-n istio-system get deployments -o name"), "nothing was changed"
        assert lab.changed(lab.play("playbooks/istio/upgrade_tenants.yml", "-e", json.dumps(given))) == {}
    finally:
        back = revisions | {"istio_upgrade_path": "/hostname", "scenarios_run": []}  # a revision in use is not removed
        lab.play("playbooks/istio/upgrade_tenants.yml", "-e", json.dumps(back), ok=None)
        lab.play("playbooks/mesh.yml")
        lab.play("playbooks/tenants.yml")
    assert "istiod-canary" not in lab.kubectl("-n istio-system get deployments -o name")


def test_a_build_changed_in_place_renews_tenants_proxies_and_names_those_of_others(lab: Lab) -> None:
    """A team's own namespace is not restarted, and the verification is red until the team has done so."""
    build = own_build(lab)
    built = bundle_versions.of_all()["istio"]
    for host in ("cp1", *sorted(WORKERS)):  # the default revision's build is istio-cni's too
        own = f"{build['hub']}/install-cni:{build['tag']}"
        lab.shell(host, f"ctr -n k8s.io images tag --force docker.io/istio/install-cni:{built} {own}")
    given = {"istio_revisions": [{"name": "stable", "default": True, "build": build}]}
    image = f"{build['hub']}/proxyv2:{build['tag']}"
    pause = lab.kubectl("-n kube-system get daemonset twinstack-node-ping -o jsonpath='{..image}'").split()[0]
    lab.kubectl("create namespace team")
    lab.kubectl("label namespace team istio.io/rev=stable")
    lab.kubectl(f"-n team create deployment shop --image={pause}")
    lab.kubectl("-n team rollout status deployment shop --timeout=90s")
    try:
        checked = lab.play("playbooks/mesh.yml", "--check", "-e", json.dumps(given))
        assert "Deployment team/shop: found docker.io/istio/proxyv2" in checked
        output = lab.play("playbooks/mesh.yml", "-e", json.dumps(given), "-v")
        assert "Deployment foo/gateway" in output and "Deployment bar/gateway" in output
        assert "Deployment team/shop: found docker.io/istio/proxyv2" in output
        assert proxy_images(lab, "foo") == proxy_images(lab, "bar") == {image}
        assert {group for group, _ in broken(lab)} == {"mesh-build"}
        assert all("team/shop" in probe["detail"] for probe in lab.failed())
        lab.kubectl("-n team rollout restart deployment shop")
        lab.kubectl("-n team rollout status deployment shop --timeout=90s")
        lab.play("playbooks/verify.yml")
        assert lab.changed(lab.play("playbooks/mesh.yml", "-e", json.dumps(given))) == {}
    finally:
        lab.kubectl("delete namespace team")
        lab.play("playbooks/mesh.yml")
    assert image not in proxy_images(lab, "foo")


def test_a_switch_that_cannot_succeed_moves_nothing(lab: Lab) -> None:
    """To a revision without a control plane; then with a path that nothing answers, so no loss could be noticed."""
    tenants = [{"name": "foo", "http_port": 30080, "https_port": 30443, "revision": "other"}, BAR]
    revisions = [{"name": "stable", "default": True}, {"name": "other"}]
    given = {"istio_revisions": revisions, "twinstack_tenants": tenants, "istio_upgrade_path": "/hostname"}
    given["scenarios_run"] = []
    lab.play("tests/lab/workload.yml")
    try:
        output = lab.play("playbooks/istio/upgrade_tenants.yml", "-e", json.dumps(given), ok=False)
        assert "Deployment istio-system/istiod-other: not there" in output
        assert "istio.io/rev=stable" in lab.kubectl("get namespace foo --show-labels"), "nothing was changed"
        lab.play("playbooks/mesh.yml", "-e", json.dumps(given))
        lab.kubectl("-n foo delete virtualservices.networking.istio.io web")
        output = lab.play("playbooks/istio/upgrade_tenants.yml", "-e", json.dumps(given), ok=False)
        assert "nothing was begun: expected HTTP 200" in output
        assert "twinstack-load" not in lab.kubectl("get namespaces -o name")
    finally:
        lab.play("tests/lab/workload.yml")
        lab.play("playbooks/tenants.yml")
        lab.play("playbooks/mesh.yml")
    assert proxies(lab, "foo") == {"stable"}


def test_requests_go_on_while_every_istiod_is_killed(lab: Lab) -> None:
    lab.play("tests/lab/istiod_killed.yml")


THEIRS = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Sidecar",
    "metadata": {"name": "theirs", "namespace": "team"},
    "spec": {"egress": [{"hosts": ["./*"]}]},
}


def test_uninstalling_the_mesh_leaves_nothing_of_it(lab: Lab) -> None:
    lab.kubectl("delete namespace foo")  # with a workload that is not the tenant's own: the test's
    unasked = lab.play("playbooks/istio/uninstall.yml", ok=False)
    assert "istio_uninstall_confirm: found nothing; expected the name of the cluster" in unasked
    named = ["-e", "istio_uninstall_confirm=twinstack"]
    lab.kubectl("create namespace team")
    create = "kubectl --kubeconfig /etc/kubernetes/admin.conf create -f -"
    lab.shell("cp1", f"echo '{json.dumps(THEIRS)}' | {create}")
    lab.kubectl("create configmap istio-notes")
    output = lab.play("playbooks/istio/uninstall.yml", *named)
    assert "Sidecar team/theirs" in output
    assert "sidecars.networking.istio.io" in lab.kubectl("get crd -o name")
    assert "theirs" in lab.kubectl("-n team get sidecars.networking.istio.io -o name")
    assert lab.changed(lab.play("playbooks/istio/uninstall.yml", *named)) == {}
    lab.kubectl("delete namespace team")
    lab.play("playbooks/istio/uninstall.yml", *named)
    assert "istio-notes" in lab.kubectl("get configmaps -o name")
    lab.kubectl("delete configmap istio-notes")
    kinds = (
        "crd,validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles,clusterrolebindings,namespaces"
    )
    everything = lab.kubectl(f"get {kinds},configmaps -A -o name")
    ours = ("istio", "kiali", "/bar", "part-canary", "part-rate-limit")
    assert not [line for line in everything.splitlines() if any(word in line for word in ours)]
    for host in ("cp1", *sorted(WORKERS)):
        left = lab.shell(host, "cat /etc/cni/net.d/*; ls /etc/cni/net.d /opt/cni/bin; iptables-save; ip6tables-save")
        assert "istio" not in left.lower(), host
        assert "10-calico.conflist" in lab.shell(host, "ls /etc/cni/net.d"), host
    assert lab.changed(lab.play("playbooks/istio/uninstall.yml", *named)) == {}
    lab.mesh = False
    try:
        lab.play("playbooks/verify.yml")
    finally:
        lab.mesh = True
    assert lab.failed() == []


def test_a_cold_boot_of_a_host_brings_its_pods_back_into_the_mesh(lab: Lab) -> None:
    lab.play("site.yml", "--skip-tags", "verify")
    lab.play("playbooks/lab/host_power_off.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab/host_boot.yml", "-e", "lab_host=worker1")
    lab.play("playbooks/lab/site.yml", timeout=1500)
    assert lab.failed() == []
    for host in sorted(WORKERS):
        told = [line.split() for line in lab.shell(host, PROXIES_RULES).splitlines()]
        assert len(told) == sidecars(lab)[host] > 0
        assert [line for line in told if not all(int(count) for count in line[1:])] == [], host
