"""The mesh's settings: what istioctl is to render, what is applied to the whole mesh, and module istio_render."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests import istio as model

from tests.conftest import Run, task_play

BUNDLE = {"hub": "docker.io/istio", "tag": "1.31.0", "istioctl": "/bundle/istioctl", "plain_envoy": True}
SITE = {"hub": "registry.example/istio", "tag": "site", "istioctl": "/site/istioctl"}


def settings(**changes: Any) -> dict[str, Any]:
    """Role istio's mapping with one revision, changed."""
    return {
        "primary_family": "ipv4",
        "domain": "cluster.local",
        "revisions": [{"name": "stable", "default": True}],
        "build": {},
        "bundle_build": BUNDLE,
        "replicas": 2,
        "mtls_mode": "STRICT",
        "sampling": 10.0,
        "tracing_host": "jaeger-collector.observability.svc.cluster.local",
        "resources": {"istiod": {}, "proxy": {}, "cni": {}},
    } | changes


def spec_of(mesh: model.Mesh, number: int = 0) -> dict[str, Any]:
    """What is rendered for a revision."""
    found: dict[str, Any] = model.revision_operator(mesh, mesh.revisions[number])["spec"]
    return found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revisions": [{"name": "a"}]}, "found none with default: true, expected exactly one"),
        ({"revisions": [{"name": "a", "default": True}, {"name": "b", "default": True}]}, "found a, b with default"),
        ({"build": {"hub": "x"}}, "istio_build: found no tag, istioctl"),
        (
            {"revisions": [{"name": "a", "default": True, "build": {"tag": "x"}}]},
            r"istio_revisions\[0\].build: found no hub, istioctl",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model.parse_mesh(settings(**changes))


@pytest.mark.parametrize(("primary", "families"), [("ipv4", ["IPv4", "IPv6"]), ("ipv6", ["IPv6", "IPv4"])])
def test_dual_stack_is_on_in_istiod_and_in_the_proxies(primary: str, families: list[str]) -> None:
    spec = spec_of(model.parse_mesh(settings(primary_family=primary)))
    assert spec["values"]["pilot"]["env"]["ISTIO_DUAL_STACK"] == "true"
    assert spec["values"]["meshConfig"]["defaultConfig"]["proxyMetadata"]["ISTIO_DUAL_STACK"] == "true"
    assert spec["values"]["pilot"]["ipFamilyPolicy"] == "RequireDualStack"
    assert spec["values"]["pilot"]["ipFamilies"] == families


def test_what_plain_envoy_lacks_is_switched_off_for_it_alone() -> None:
    revisions = [{"name": "stable", "default": True}, {"name": "site", "build": SITE}]
    mesh = model.parse_mesh(settings(revisions=revisions))
    plain, full = spec_of(mesh, 0)["values"], spec_of(mesh, 1)["values"]
    assert plain["pilot"]["env"].keys() - full["pilot"]["env"].keys() == set(model.PLAIN_ENVOY_SWITCHES)
    assert (plain["telemetry"]["enabled"], full["telemetry"]["enabled"]) == (False, True)
    filters = [item["metadata"]["name"] for item in model.mesh_objects(mesh) if item["kind"] == "EnvoyFilter"]
    assert filters == ["request-metrics-stable"]
    telemetry = {item["metadata"]["name"]: item for item in model.mesh_objects(mesh) if item["kind"] == "Telemetry"}
    assert {name: item["metadata"]["labels"]["istio.io/rev"] for name, item in telemetry.items()} == {
        "mesh-stable": "stable",
        "mesh-site": "site",
    }
    assert "metrics" not in telemetry["mesh-stable"]["spec"]
    ((counted,), (traced,)) = (telemetry["mesh-site"]["spec"][what] for what in ("metrics", "tracing"))
    assert "destination.address" in counted["overrides"][0]["tagOverrides"]["ip_family"]["value"]
    assert traced == telemetry["mesh-stable"]["spec"]["tracing"][0]
    assert (spec_of(mesh, 1)["hub"], mesh.revisions[1].build.istioctl) == ("registry.example/istio", "/site/istioctl")


def test_a_sites_build_is_every_revisions_build_and_the_shared_parts_too() -> None:
    mesh = model.parse_mesh(settings(build=SITE))
    assert model.shared_operator(mesh)["spec"]["tag"] == "site"
    assert spec_of(mesh)["tag"] == "site"


def test_one_revision_is_the_default_and_settings_win() -> None:
    revisions = [
        {"name": "a", "settings": {"pilot": {"env": {"X": "1"}, "replicaCount": 3}}},
        {"name": "b", "default": True},
    ]
    mesh = model.parse_mesh(settings(revisions=revisions))
    assert "revisionTags" not in spec_of(mesh, 0)["values"]
    assert spec_of(mesh, 1)["values"]["revisionTags"] == ["default"]
    assert model.shared_operator(mesh)["spec"]["values"]["defaultRevision"] == "b"
    pilot = spec_of(mesh, 0)["values"]["pilot"]
    assert (pilot["env"]["X"], pilot["env"]["ISTIO_DUAL_STACK"], pilot["replicaCount"]) == ("1", "true", 3)
    assert spec_of(mesh, 1)["values"]["pilot"]["replicaCount"] == 2


def test_every_control_planes_pods_get_their_rules_from_istio_cni() -> None:
    """Whatever its build and settings: istioctl itself decides otherwise, see operator()."""
    revisions = [
        {"name": "stable", "default": True},
        {"name": "site", "build": SITE},
        {"name": "own", "settings": {"pilot": {"cni": {"enabled": False}, "replicaCount": 1}}},
    ]
    mesh = model.parse_mesh(settings(revisions=revisions))
    specs = [spec_of(mesh, number) for number in range(3)] + [model.shared_operator(mesh)["spec"]]
    assert [spec["unvalidatedValues"]["pilot"]["cni"]["enabled"] for spec in specs] == [True] * 4


# --- request metrics --------------------------------------------------------------------------------------------------


def metrics_patches(kind: str, domain: str = "cluster.local") -> dict[str, dict[str, Any]]:
    """The patches of NETWORK_FILTER or HTTP_FILTER by the proxies that they are for."""
    mesh = model.parse_mesh(settings(domain=domain))
    patches = model.request_metrics(mesh, mesh.default)["spec"]["configPatches"]
    found = {item["match"]["context"]: item["patch"] for item in patches if item["applyTo"] == kind}
    assert len(found) * 2 == len(patches)
    return found


def test_request_metrics_are_their_revisions_alone() -> None:
    mesh = model.parse_mesh(settings(revisions=[{"name": "a", "default": True}, {"name": "b"}]))
    for revision in mesh.revisions:
        metadata = model.request_metrics(mesh, revision)["metadata"]
        labels = {"istio.io/rev": revision.name}
        assert (metadata["name"], metadata["labels"]) == (f"request-metrics-{revision.name}", labels)


def test_both_metrics_have_the_same_labels_and_none_is_empty() -> None:
    for context, patch in metrics_patches("NETWORK_FILTER").items():
        inbound = context == "SIDECAR_INBOUND"
        (log,) = patch["value"]["typed_config"]["access_log"]
        (counter,), (histogram,) = log["typed_config"]["counters"], log["typed_config"]["histograms"]
        assert counter["stat"]["tags"] == histogram["stat"]["tags"]
        tags = {tag["name"]: tag["value_format"] for tag in counter["stat"]["tags"]}
        assert len(tags) == len(counter["stat"]["tags"])
        assert all(value.strip() for value in tags.values()), "Envoy refuses its whole listener then"
        assert tags["reporter"] == ("destination" if inbound else "source")
        assert tags["ip_family"] == model.IP_FAMILY
        assert ("dwl" in tags) is not inbound


@pytest.mark.parametrize("context", ["SIDECAR_OUTBOUND", "GATEWAY"])
def test_callers_send_their_names_to_services_of_the_cluster_only(context: str) -> None:
    patch = metrics_patches("HTTP_FILTER", "example.lan")[context]
    assert patch["operation"] == "INSERT_FIRST"
    mutations = patch["value"]["typed_config"]["mutations"]["request_mutations"]
    told = {}
    for removed, appended in zip(mutations[::2], mutations[1::2], strict=True):
        header = appended["append"]["header"]
        assert removed == {"remove": header["key"]}, "what the program itself put there goes in any case"
        assert appended["append"]["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
        assert "keep_empty_value" not in appended["append"], "Envoy adds no empty header then"
        found = re.fullmatch(r"%CEL\((.*) \? (.*) : (.*)\)%", header["value"])
        assert found
        condition, told[header["key"]], others = found.groups()
        assert (condition, others) == ("xds.cluster_name.endsWith('.svc.example.lan')", "''")
        assert "+" not in header["value"], "Envoy's CEL joins no texts"
    assert told == {
        "x-twinstack-source-workload": "xds.node.metadata['WORKLOAD_NAME']",
        "x-twinstack-source-workload-namespace": "xds.node.metadata['NAMESPACE']",
        "x-twinstack-source-canonical-service": "xds.node.metadata['LABELS']['service.istio.io/canonical-name']",
        "x-twinstack-source-canonical-revision": "xds.node.metadata['LABELS']['service.istio.io/canonical-revision']",
    }


def test_the_called_side_keeps_the_callers_names_and_takes_them_out_of_the_request() -> None:
    patch = metrics_patches("HTTP_FILTER")["SIDECAR_INBOUND"]
    assert patch["operation"] == "INSERT_FIRST"
    rules = patch["value"]["typed_config"]["request_rules"]
    assert [rule["on_header_present"]["key"] for rule in rules] == list(model.OWN_NAMES)
    for rule in rules:
        there, missing = rule["on_header_present"], rule["on_header_missing"]
        name = there["key"]
        assert (rule["header"], rule["remove"]) == (f"x-twinstack-source-{name.replace('_', '-')}", True)
        assert "value" not in there, "the header's own value"
        assert missing == there | {"value": "unknown"}
        place = f"{there['metadata_namespace']}:{name}"
        assert model.DESTINATION_LABELS[f"source_{name}"] == f"%DYNAMIC_METADATA({place})%"


# --- module istio_render ----------------------------------------------------------------------------------------------


def render(
    folder: Path, script: str, playbook: Callable[..., Run], *words: str, shown: str = "objects", **options: str
) -> Run:
    """Run module istio_render with a program in istioctl's place."""
    istioctl = folder / "istioctl"
    istioctl.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    istioctl.chmod(0o755)
    renders = [{"istioctl": str(istioctl), "operator": {"spec": {"revision": "stable"}}}]
    arguments = {"renders": renders, **options}
    path = task_play(folder, "twinstack.core.istio_render", arguments, f"found['{shown}']")
    return playbook("-i", "localhost,", path, *words)


def test_objects_come_back_as_they_were_printed(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    script = "printf 'kind: A\\n---\\n---\\nkind: IstioOperator\\n---\\nkind: B\\nasked: '; cat"
    output = render(tmp_path, script, playbook, "--check").succeeded().output
    assert '[{"kind": "A"}, {"kind": "B", "asked": {"spec": {"revision": "stable"}}}]' in output
    assert "changed=0" in output


def test_what_was_rendered_is_kept_until_istioctl_changes(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    def again(script: str) -> str:
        done = render(tmp_path, script, playbook, shown="files", kept_in=str(tmp_path / "kept")).succeeded()
        (path,) = [path for path in (tmp_path / "kept").iterdir() if str(path) in done.output]
        return path.read_text(encoding="utf-8")

    runs = tmp_path / "runs"
    script = f"echo run >> {runs}; echo 'kind: A'"
    assert again(script) == again(script) == '[{"kind": "A"}]'
    assert runs.read_text() == "run\n"
    (path,) = (tmp_path / "kept").iterdir()
    path.write_text("[{", encoding="utf-8")
    assert again(script) == '[{"kind": "A"}]', "a file that was cut off is believed"
    assert again("echo 'kind: B'") == '[{"kind": "B"}]'


def test_istioctls_own_words_are_shown(tmp_path: Path, playbook: Callable[..., Run]) -> None:
    failed = render(tmp_path, "echo 'unknown field \"pilott\"' >&2; exit 1", playbook)
    assert failed.code != 0
    assert 'exit status 1: unknown field "pilott"' in failed.output
