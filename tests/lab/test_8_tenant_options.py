"""What a tenant may choose: hosts outside by name, a certificate, plain text, a load balancer. And how pods enter."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import versions as bundle_versions
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import certificates

from tests.lab.conftest import REPO, Lab
from tests.lab.test_4_mesh import broken, targets
from tests.lab.test_6_scenarios import TENANTS

Until = Callable[..., None]
pytestmark = pytest.mark.usefixtures("everything")
FOO, BAR = TENANTS
OUTSIDE = ["nsenter", "--net=/run/netns/twinstack"]
HTTP, HTTPS, CLOSED = 18099, 18443, 18100  # the last one is served too, and named by nobody
HOST_ADDRESSES = ("10.66.0.1", "fd66::1")  # the lab's machine, as its hosts see it
NAMES = {
    "four.example": HOST_ADDRESSES[:1],
    "six.example": HOST_ADDRESSES[1:],
    "both.example": HOST_ADDRESSES,
}
BALANCED = ("10.66.0.200", "fd66::200")  # what a load balancer would give; of the lab's own networks, and nobody's
SCRAPED_SECONDS = 35  # istiod is scraped every 15
SECURED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
}
# Of the pod, so that it holds for the mesh's containers too.
CONFINED = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def start(lab: Lab, name: str, node: str = "", meshed: bool = True, space: str = "foo") -> None:
    """A pod of a tenant that answers at port 8080 and has curl."""
    container = {
        "name": "web",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.66.1",
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", "--http-port=8080", "--udp-port=-1"],
        "securityContext": SECURED,
    }
    spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 1, "securityContext": CONFINED}
    if node:
        spec["nodeName"] = node
    labels = {"app": name, "sidecar.istio.io/inject": str(meshed).lower()}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
    make(lab, space, pod)


def make(lab: Lab, space: str, *objects: dict[str, Any]) -> None:
    """Apply objects in a namespace."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    lab.kubectl(f"-n {space} apply -f - <<'END'\n{json.dumps(listed)}\nEND")


def service(name: str, app: str, port: int, port_name: str, **more: Any) -> dict[str, Any]:
    """A Service of both families."""
    ports = [{"name": port_name, "port": port, "targetPort": 8080}]
    spec = {"selector": {"app": app}, "ipFamilyPolicy": "RequireDualStack", "ports": ports, **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def stop(lab: Lab, name: str, space: str = "foo") -> None:
    """Remove it, if it is there."""
    lab.kubectl(f"-n {space} delete pod {name} --ignore-not-found --force --grace-period=0")


def ready(lab: Lab, name: str, space: str = "foo") -> bool:
    """Whether every container of the pod is ready."""
    path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    return lab.kubectl(f"-n {space} get pod {name} -o '{path}'").strip() == "True"


def asks(lab: Lab, pod: str, *words: str, space: str = "foo") -> str:
    """What curl prints in a pod of a tenant; nothing when it does not come through."""
    return lab.kubectl(f"-n {space} exec {pod} -c web -- curl -sSgk --max-time 4 {' '.join(words)} 2>/dev/null || true")


def connections(lab: Lab, pod: str, cluster: str) -> int:
    """How many connections a pod's proxy has made for one of its clusters (Envoy: /clusters)."""
    lines = asks(lab, pod, "http://localhost:15000/clusters").splitlines()
    return sum(
        int(line.rpartition("::")[2]) for line in lines if line.startswith(f"{cluster}::") and "::cx_total::" in line
    )


def pair(folder: Path, *names: str) -> tuple[Path, Path, Path]:
    """A certificate for these names and its key, and the authority's certificate."""
    now = datetime.now(UTC)
    authority, _changed = certificates.ensure_authority(folder, "A site's own authority", now)
    certificates.ensure_certificate(authority, folder, "own", names, now)
    return folder / "own.crt", folder / "own.key", folder / f"{certificates.AUTHORITY}.crt"


@pytest.fixture
def outside_server(tmp_path: Path) -> Iterator[None]:
    """A web server of the lab's own machine, outside the cluster, on both of its addresses."""
    cert, key, _authority = pair(tmp_path, *NAMES)
    script = str(REPO / "tests/lab/outside_server.py")
    command = [*OUTSIDE, sys.executable, script, str(HTTP), str(CLOSED), str(HTTPS), str(cert), str(key)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        yield
        server.kill()


@pytest.fixture
def names_outside(lab: Lab) -> Iterator[None]:
    """The cluster's DNS knows the names of the hosts outside, as a site's own DNS would."""
    config = json.loads(lab.kubectl("-n kube-system get configmap coredns -o json"))["data"]["Corefile"]
    lines = "".join(f"        {address} {name}\n" for name, addresses in NAMES.items() for address in addresses)
    changed = config.replace(".:53 {\n", f".:53 {{\n    hosts {{\n{lines}        fallthrough\n    }}\n", 1)
    assert changed != config

    def write(text: str) -> None:
        patch = json.dumps({"data": {"Corefile": text}})
        lab.kubectl(
            f"-n kube-system patch configmap coredns --type merge --patch-file /dev/stdin <<'END'\n{patch}\nEND"
        )
        lab.kubectl("-n kube-system rollout restart deployment coredns")
        lab.kubectl("-n kube-system rollout status deployment coredns --timeout=100s")

    try:
        write(changed)
        yield
    finally:
        write(config)


def test_a_tenant_reaches_only_the_hosts_outside_that_it_names(
    lab: Lab, outside_server: None, names_outside: None, until: Until
) -> None:
    """By literal address, and by name in IPv4, in IPv6 and in both, by HTTP and by TLS; nothing before it is named."""
    start(lab, "caller")
    until(lambda: ready(lab, "caller"), 120, "the caller")
    by_address = [f"http://{'[' + address + ']' if ':' in address else address}:{HTTP}/" for address in HOST_ADDRESSES]
    # The last one: both families are there, and the caller wants one of them.
    by_name: list[tuple[str, ...]] = [(f"http://{name}:{HTTP}/",) for name in NAMES]
    by_name += [(f"https://{name}:{HTTPS}/",) for name in NAMES]
    by_name += [(f"http://both.example:{HTTP}/", way) for way in ("-4", "-6")]
    by_name += [(f"https://both.example:{HTTPS}/", way) for way in ("-4", "-6")]

    def answers(url: str, *more: str) -> bool:
        return "from outside" in asks(lab, "caller", *more, url)

    plain = [{"number": HTTP, "protocol": "HTTP"}]
    both = [*plain, {"number": HTTPS, "protocol": "TLS"}]
    literal = [
        {"name": "only-ipv4", "hosts": ["rack-four.example"], "addresses": [HOST_ADDRESSES[0]], "ports": plain},
        {"name": "only-ipv6", "hosts": ["rack-six.example"], "addresses": [HOST_ADDRESSES[1]], "ports": plain},
    ]
    hosts = ["rack-both.example", "rack-more.example"]
    dual = [{"name": "dual", "hosts": hosts, "addresses": list(HOST_ADDRESSES), "ports": both}]
    named = [{"name": name.partition(".")[0], "hosts": [name], "ports": both} for name in NAMES]

    def named_by(external: list[dict[str, Any]]) -> None:
        given = {"twinstack_tenants": [{**FOO, "external": external}, BAR], "scenarios_run": []}
        lab.play("playbooks/tenants.yml", "-e", json.dumps(given))

    try:
        assert [url for url in by_address if answers(url)] == []
        assert [words for words in by_name if answers(*words)] == []
        named_by(literal)
        until(lambda: all(answers(url) for url in by_address), 30, "hosts outside by their addresses")
        named_by(dual)
        for host in hosts:
            for address in HOST_ADDRESSES:
                place = f"[{address}]" if ":" in address else address
                for scheme, port in (("http", HTTP), ("https", HTTPS)):
                    way = f"{scheme}://{host}:{port}/", "--resolve", f"{host}:{port}:{place}"
                    until(lambda way=way: answers(*way), 30, f"a host outside with both families: {way}")
            for port in (HTTP, HTTPS):
                assert connections(lab, "caller", f"outbound|{port}||{host}") > 0, "not by its ServiceEntry"
        named_by(named)
        for words in by_name:
            until(lambda words=words: answers(*words), 30, f"a host outside by name: {words}")
        for name in NAMES:
            for port in (HTTP, HTTPS):
                assert connections(lab, "caller", f"outbound|{port}||{name}") > 0, "not by its ServiceEntry"
        told = [asks(lab, "caller", f"http://{name}:{HTTP}/").split()[-1] for name in ("four.example", "six.example")]
        assert [ipaddress.ip_address(address).version for address in told] == [4, 6], "the family on the wire"
        assert "from outside" not in asks(lab, "caller", f"http://four.example:{CLOSED}/"), "a port that is not named"
    finally:
        lab.play("playbooks/tenants.yml")
        stop(lab, "caller")


def test_a_tenant_has_its_own_certificate_takes_plain_text_and_stands_behind_a_load_balancer(
    lab: Lab, tmp_path: Path, until: Until
) -> None:
    """What gives a Service its addresses is the site's; here the test writes them, and the hosts do the rest."""
    cert, key, authority = pair(tmp_path, "shop.example")
    own = {"hosts": ["shop.example"], "certificate": {"cert": str(cert), "key": str(key)}}
    chosen = {**FOO, **own, "mtls_mode": "PERMISSIVE", "service_type": "LoadBalancer"}
    start(lab, "plain", meshed=False)
    until(lambda: ready(lab, "plain"), 60, "a pod outside the mesh")
    addresses = json.loads(lab.kubectl("-n foo get service foo -o json"))["spec"]["clusterIPs"]
    urls = [f"http://{'[' + address + ']' if ':' in address else address}/" for address in addresses]

    def codes() -> list[str]:
        return [asks(lab, "plain", "-o /dev/null -w %{http_code}", url).strip()[-3:] for url in urls]

    def routes(verb: str) -> None:
        for address, via in zip(BALANCED, ("10.66.0.12", "fd66::12"), strict=True):
            family = "-6" if ":" in address else "-4"
            subprocess.run([*OUTSIDE, "ip", family, "route", verb, address, "via", via], check=verb == "add")

    def balanced(address: str, *words: str) -> str:
        place = f"[{address}]" if ":" in address else address
        command = [*OUTSIDE, "curl", "-sS", "--max-time", "4", "--cacert", str(authority), "--resolve"]
        command += [f"shop.example:443:{place}", "--connect-to", f"SHOP.Example:80:{place}:80", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def all_balanced() -> bool:
        return all('"service": "foo"' in balanced(address, "https://shop.example/foo") for address in BALANCED)

    assert codes() == ["000", "000"], "plain text is refused in both families"
    try:
        routes("add")
        given = {"twinstack_tenants": [chosen, BAR], "scenarios_run": []}
        lab.play("playbooks/tenants.yml", "-e", json.dumps(given))
        until(lambda: codes() == ["200", "200"], 40, "plain text in both families")
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address} for address in BALANCED]}}}
        lab.kubectl(f"-n foo patch service gateway --subresource=status --type merge -p '{json.dumps(status)}'")
        until(all_balanced, 40, "the load balancer's addresses by the tenant's certificate")
        for address in BALANCED:  # names of hosts and of headers in any case, values in theirs; by HTTP/1.1 and 2
            for way in ("--http1.1", "--http2-prior-knowledge"):
                for header, version in (("VERSION: v0-0-2", "v0.0.2"), ("version: V0-0-2", "v0.0.1")):
                    told = balanced(address, way, "-H", header, "http://SHOP.Example/foo")
                    assert f'"version": "{version}"' in told, (address, way, header)
        lab.play("playbooks/verify.yml", "-e", json.dumps(given))
        assert lab.failed() == []
        assert lab.changed(lab.play("playbooks/tenants.yml", "-e", json.dumps(given))) == {}
    finally:
        routes("del")
        lab.play("playbooks/tenants.yml")
        until(lambda: codes() == ["000", "000"], 40, "plain text is refused again")
        stop(lab, "plain")


def test_a_pod_does_not_start_outside_the_mesh_while_istio_cni_is_away(lab: Lab, until: Until) -> None:
    nowhere = {"spec": {"template": {"spec": {"nodeSelector": {"twinstack.core/nowhere": "true"}}}}}
    daemon_set = "-n istio-system patch daemonset istio-cni-node"
    lab.kubectl(f"{daemon_set} --type merge -p '{json.dumps(nowhere)}'")
    try:
        pods = "-n istio-system get pods -l k8s-app=istio-cni-node -o name"
        until(lambda: not lab.kubectl(pods).strip(), 90, "no istio-cni any more")
        start(lab, "early", node="worker2")
        until(lambda: "early" in lab.kubectl("-n foo get pods -o name"), 10, "the pod")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            state = json.loads(lab.kubectl("-n foo get pod early -o json"))["status"]
            running = [item for item in state.get("containerStatuses", []) if "running" in item["state"]]
            assert not running, f"{running[0]['name']} runs without the mesh's rules"
            time.sleep(2)
    finally:
        path = [{"op": "remove", "path": "/spec/template/spec/nodeSelector/twinstack.core~1nowhere"}]
        lab.kubectl(f"{daemon_set} --type json -p '{json.dumps(path)}'")
        lab.kubectl("-n istio-system rollout status daemonset istio-cni-node --timeout=120s")
    try:
        until(lambda: ready(lab, "early"), 180, "the pod, once istio-cni is there")
    finally:
        stop(lab, "early")


def test_istio_cni_stays_in_the_chain_when_calico_rewrites_its_file(lab: Lab, until: Until) -> None:
    """calico-node dies and its first container writes the file as if no other plugin were in it."""
    chain = "cat /etc/cni/net.d/10-calico.conflist"
    lab.kubectl("-n kube-system delete pod -l k8s-app=calico-node --wait")
    lab.kubectl("-n kube-system rollout status daemonset calico-node --timeout=180s")
    for host in ("cp1", "worker1", "worker2"):
        until(lambda host=host: "istio-cni" in lab.shell(host, chain), 60, f"istio-cni in {host}'s chain")
    lab.play("playbooks/verify.yml")
    assert lab.failed() == []


def test_a_program_of_one_family_is_distinguished_from_a_network_of_one(lab: Lab, until: Until) -> None:
    image = lab.kubectl("-n foo get deploy foo-v0-0-1 -o jsonpath={.spec.template.spec.containers[0].image}").strip()
    program = 'import http.server as h; h.HTTPServer(("0.0.0.0", 8080), h.SimpleHTTPRequestHandler).serve_forever()'
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "-c", program],
        "securityContext": SECURED,
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, "securityContext": CONFINED}
    names = {"four": "true", "plain-four": "false"}  # in the mesh, and outside of it
    for name, meshed in names.items():
        labels = {"app": name, "sidecar.istio.io/inject": meshed}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        make(lab, "foo", pod, service(name, name, 80, "http"))
    try:
        until(lambda: all(ready(lab, name) for name in names), 120, "the pods")
        found = broken(lab)
        details = {probe["detail"] for probe in lab.failed()}
        told = targets(lab, "tenant-listens", "IPv6")
    finally:
        lab.kubectl(f"-n foo delete service {' '.join(names)}")
        for name in names:
            stop(lab, name)
    assert set(found) == {("tenant-listens", "IPv6")} and told == {f"foo/{name}" for name in names}
    assert details == {"the program in the pod listens on port 8080 in IPv4 only; expected IPv6 too"}


def test_odd_services_of_one_tenant_do_not_touch_another(lab: Lab, until: Until) -> None:
    """A headless Service whose port has no protocol's name, and an ExternalName with a port that bar uses."""
    refused = "sum(pilot_total_xds_rejects) or vector(0)"
    before = [item["value"][1] for item in lab.query(refused)]
    external = {"type": "ExternalName", "externalName": "cache.example", "ports": [{"name": "tcp", "port": 6379}]}
    cache = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache"}, "spec": external}
    start(lab, "caller", space="bar")
    make(lab, "bar", service("other", "bar", 8081, "http"), service("store", "bar", 6379, "http"))
    make(lab, "foo", service("db", "foo", 8081, "svcport", clusterIP="None"), cache)

    def answered() -> bool:
        places = []
        for name, port in (("other", 8081), ("store", 6379)):
            found = json.loads(lab.kubectl(f"-n bar get service {name} -o json"))["spec"]["clusterIPs"]
            places += [(f"[{address}]" if ":" in address else address, port) for address in found]
        assert len(places) == 4
        return all(
            '"service": "bar"' in asks(lab, "caller", f"http://{host}:{port}/", space="bar") for host, port in places
        )

    try:
        until(lambda: ready(lab, "caller", "bar"), 120, "the caller")
        until(answered, 40, "bar's own Services on the same ports")
        output = lab.play("tests/lab/istioctl.yml", "-e", "level=Info", ok=None)
        time.sleep(SCRAPED_SECONDS)
        assert answered()
        assert [item["value"][1] for item in lab.query(refused)] == before
    finally:
        lab.kubectl("-n foo delete service db cache")
        lab.kubectl("-n bar delete service other store")
        stop(lab, "caller", "bar")
    assert "IST0118" in output and "svcport" in output and "8081" in output


def test_every_protocol_travels_between_proxies_over_both_families(lab: Lab, until: Until) -> None:
    """By Istio's own echo server and client. What is not HTTP can only have come by mutual TLS: the mesh is strict."""
    ports = {"http": (80, 8080), "grpc": (7070, 7070), "tcp": (9090, 9090)}
    listed = [{"name": name, "port": port, "targetPort": target} for name, (port, target) in ports.items()]
    container = {
        "name": "web",
        "image": f"docker.io/istio/app:{bundle_versions.of_all()['istio']}",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--port=8080", "--grpc=7070", "--tcp=9090"],
        "securityContext": {**SECURED, "runAsUser": 1338},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, "securityContext": CONFINED}
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
        for name in ("echo", "asker")
    ]
    make(lab, "foo", *pods, service("echo", "echo", 80, "http", ports=listed))

    def told(scheme: str, address: str) -> str:
        place = f"[{address}]" if ":" in address else address
        return lab.kubectl(f"-n foo exec asker -c web -- client {scheme}://{place}:{ports[scheme][0]} || true")

    try:
        until(lambda: ready(lab, "echo") and ready(lab, "asker"), 120, "the pods")
        addresses = json.loads(lab.kubectl("-n foo get service echo -o json"))["spec"]["clusterIPs"]
        assert len(addresses) == 2
        for address in addresses:
            for scheme in ports:
                way = scheme, address
                until(lambda way=way: "Hostname=echo" in told(*way), 30, f"{scheme} by {address}")
            assert "X-Forwarded-Client-Cert" in told("http", address)
    finally:
        lab.kubectl("-n foo delete service echo")
        for name in ("echo", "asker"):
            stop(lab, name)
