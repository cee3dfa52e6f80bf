"""What is read from programs that run: real processes, real HTTP."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import running

# As kube-proxy 1.37 answers, shortened.
CONFIGZ = {
    "kubeproxy.config.k8s.io": {
        "kind": "KubeProxyConfiguration",
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "clientConnection": {"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "ipvs",
        "clusterCIDR": "10.244.0.0/16,fd66:244::/56",
        "ipvs": {"syncPeriod": "30s", "minSyncPeriod": "3s", "strictARP": True},
    }
}
METRICS = """# HELP kubeproxy_sync_proxy_rules_last_timestamp_seconds [ALPHA] The last time proxy rules were synced
# TYPE kubeproxy_sync_proxy_rules_last_timestamp_seconds gauge
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1.7642e+09
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv6"} 1.7642e+09
"""


class Pages(ThreadingHTTPServer):
    """A server of fixed pages."""

    pages: dict[str, str]

    @property
    def place(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers with the page of that path."""

    def do_GET(self) -> None:
        """One page."""
        assert isinstance(self.server, Pages)
        text = self.server.pages.get(self.path)
        self.send_response(200 if text is not None else 404)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(name="server")
def served() -> Iterator[Pages]:
    """A server on the loopback."""
    server = Pages(("127.0.0.1", 0), Handler)
    server.pages = {"/configz": json.dumps(CONFIGZ), "/metrics": METRICS}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_kube_proxy_says_what_it_runs_with(server: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # nobody is asked about the host's own loopback
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    importlib.reload(running)
    assert running.kube_proxy(server.place)["ipvs"]["minSyncPeriod"] == "3s"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kubeproxy.config.k8s.io": null}'])
def test_another_answer_is_none(server: Pages, text: str) -> None:
    server.pages["/configz"] = text
    assert running.kube_proxy(server.place) == {}


def test_nobody_there_is_none() -> None:
    assert running.kube_proxy("127.0.0.1:1") == {}
    assert running.synced_families("127.0.0.1:1") == set()


def test_a_family_counts_once_its_rules_are_there(server: Pages) -> None:
    assert running.synced_families(server.place) == {"IPv4"}
    name = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
    server.pages["/metrics"] = METRICS + f'{name}{{ip_family="IPv6"}} 0\n'
    assert running.synced_families(server.place) == {"IPv4"}
    server.pages["/metrics"] = METRICS + f'{name}{{ip_family="IPv6"}} 1.7642e+09\n'
    assert running.synced_families(server.place) == {"IPv4", "IPv6"}


def test_a_kubelet_older_than_its_configuration_is_behind(tmp_path: Path) -> None:
    config, program = tmp_path / "config.yaml", f"kubelet-{os.getpid()}"
    assert not running.kubelet_behind(str(config), program)
    config.touch()
    assert not running.kubelet_behind(str(config), program), "it does not run"
    with subprocess.Popen([program, "60"], executable="/bin/sleep") as process:
        try:
            assert not running.kubelet_behind(str(config), program), "written when it started"
            now = time.time()
            assert now - 60 < running.started(str(process.pid)) < now + 1
            os.utime(config, (now + 30, now + 30))
            assert running.kubelet_behind(str(config), program)
        finally:
            process.kill()
    assert running.started(str(process.pid)) == 0.0


def test_what_is_seen_is_plain_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "kube_proxy", lambda: {"mode": "ipvs"})
    monkeypatch.setattr(running, "kubelet_behind", lambda: False)
    nothing = {"ipvs_services": 0, "links": ["vxlan.calico"]}
    assert running.observe(nothing) == {"kube_proxy": {"mode": "ipvs"}, "kubelet_behind": False, "ipvs": False}
    assert running.observe(nothing | {"ipvs_services": 3})["ipvs"]
    assert running.observe(nothing | {"links": ["kube-ipvs0"]})["ipvs"]
