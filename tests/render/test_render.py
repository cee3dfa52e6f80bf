"""What the roles write on every host, against golden files.

Each inventory below inventories/ is rendered by the real templates and filters. `UPDATE_GOLDEN=1` rewrites the golden
files; the difference is then reviewed like any other change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
REPO = HERE.parent.parent
CALICO = """
apiVersion: v1
kind: ConfigMap
metadata: {name: calico-config, namespace: kube-system}
data:
  cni_network_config: '{"ipam": {"type": "calico-ipam"}}'
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          env: []
          livenessProbe: {exec: {command: [live]}, periodSeconds: 10}
          readinessProbe: {exec: {command: [ready]}, periodSeconds: 10}
"""


def defaults_of(inventory: Path) -> dict[str, Any]:
    """Defaults and fixed variables of the roles that render, without what the inventory sets itself."""
    found: dict[str, Any] = {}
    for role in ("twinstack", "node_prep", "containerd", "kubeadm"):
        for part in ("defaults", "vars"):
            path = REPO / "roles" / role / part / "main.yml"
            if path.is_file():
                found |= yaml.safe_load(path.read_text()) or {}
    own = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["vars"]
    return {name: value for name, value in found.items() if name not in own}


@pytest.mark.parametrize("inventory", sorted(path.name for path in (HERE / "inventories").iterdir()))
def test_rendered_files_equal_the_golden_ones(inventory: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "set.tar").touch()
    image_set = {
        "name": "images-worker",
        "kind": "image_set",
        "groups": ["worker"],
        "path": str(bundle / "set.tar"),
        "images": [{"name": "registry.k8s.io/pause:3.10.2", "digest": "sha256:0"}],
    }
    (bundle / "bundle.json").write_text(json.dumps({"schema": 2, "artifacts": {"images-worker": image_set}}))
    rendered = tmp_path / "rendered"
    rendered.mkdir()
    defaults = tmp_path / "defaults.json"
    defaults.write_text(json.dumps(defaults_of(HERE / "inventories" / inventory)))
    variables = {
        "render_to": str(rendered),
        "render_defaults": str(defaults),
        "twinstack_artifacts_dir": str(bundle),
        "render_calico": CALICO,
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(HERE / "inventories" / inventory)]
    command += [str(HERE / "render.yml"), "--extra-vars", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    found = {
        f"{path.stem}/{name}": text
        for path in sorted(rendered.iterdir())
        for name, text in json.loads(path.read_text()).items()
    }
    golden = HERE / "golden" / inventory
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(golden, ignore_errors=True)
        for name, text in found.items():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            (golden / name).write_text(text)
    expected = {str(path.relative_to(golden)): path.read_text() for path in golden.rglob("*") if path.is_file()}
    assert sorted(found) == sorted(expected)
    for name, text in found.items():
        assert text == expected[name], f"{golden / name}: UPDATE_GOLDEN=1 rewrites it; then look at the difference"


def test_what_an_inventory_sets_reaches_the_files() -> None:
    """The goldens themselves: an order, a mode and an MTU that differ between inventories differ in the files."""

    def text(inventory: str, name: str) -> str:
        return (HERE / "golden" / inventory / name).read_text()

    assert "mode: ipvs" in text("v4-first", "cp1/etc/twinstack/kubeadm.yaml")
    assert "mode: nftables" in text("v6-first", "cp1/etc/twinstack/kubeadm.yaml")
    assert "veth_mtu: '1380'" in text("v6-first", "cp1/cluster/calico-objects.yaml")
    assert "vxlanMode: Always" in text("v6-first", "cp1/cluster/calico-objects.yaml")
    assert "clusterIP: fd20:96::a" in text("v6-first", "cp1/cluster/kube-dns.yaml")
    assert "clusterIP: 10.96.0.10" in text("v4-first", "cp1/cluster/kube-dns.yaml")
