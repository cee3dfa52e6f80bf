"""The mesh's settings as typed data, and what follows from them: input of istioctl, and mesh-wide objects.

istioctl holds Istio's charts and renders them without a network; what it prints is applied by module `apply`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM
from ansible_collections.twinstack.core.plugins.module_utils.observability import COLLECTOR

HOST = "kubernetes.io/hostname"
# The configuration that Calico's calico-node writes; istio-cni adds itself to it, and again whenever calico-node has
# rewritten it (istio: cni/pkg/install/install.go).
CALICO_CONFLIST = "10-calico.conflist"
# Without these two, istiod configures filters that only Istio's own Envoy has (istio: pilot/pkg/features).
PLAIN_ENVOY_SWITCHES = {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
TRACING_PROVIDER = "jaeger"
METRICS_PROVIDER = "prometheus"  # one of Istio's built-in providers
STATS_LOGGER = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
HTTP_MANAGER = "envoy.filters.network.http_connection_manager"
HTTP_MANAGER_TYPE = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)

Object = dict[str, Any]


@dataclass(frozen=True)
class Build:
    """One build of Istio. plain_envoy: its proxy image holds upstream's Envoy without Istio's own filters."""

    hub: str
    tag: str
    istioctl: str
    plain_envoy: bool


@dataclass(frozen=True)
class Revision:
    """One control plane. settings: values of Istio's charts, merged over this project's."""

    name: str
    build: Build
    default: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Mesh:
    """The whole mesh. families: both, the primary one first, in the API's spelling; sampling: traces in percent."""

    families: tuple[str, str]
    domain: str
    revisions: tuple[Revision, ...]
    replicas: int
    mtls_mode: str
    sampling: float
    tracing_host: str
    resources: Mapping[str, Mapping[str, Any]]

    @property
    def default(self) -> Revision:
        """The revision that whoever names none gets."""
        return next(revision for revision in self.revisions if revision.default)


def parse_mesh(data: Mapping[str, Any]) -> Mesh:
    """A Mesh from the role's mapping. Raises ValueError naming the field when something does not fit."""
    builds = {"": _build("istio_build", data["build"], data["bundle_build"])}
    revisions = []
    for number, item in enumerate(data["revisions"]):
        where = f"istio_revisions[{number}]"
        build = _build(f"{where}.build", item["build"], {}) if item.get("build") else builds[""]
        revisions.append(Revision(str(item["name"]), build, bool(item.get("default")), item.get("settings") or {}))
    if len([revision for revision in revisions if revision.default]) != 1:
        found = ", ".join(revision.name for revision in revisions if revision.default) or "none"
        raise ValueError(f"istio_revisions: found {found} with default: true, expected exactly one")
    return Mesh(
        families=("IPv4", "IPv6") if data["primary_family"] == "ipv4" else ("IPv6", "IPv4"),
        domain=str(data["domain"]),
        revisions=tuple(revisions),
        replicas=int(data["replicas"]),
        mtls_mode=str(data["mtls_mode"]),
        sampling=float(data["sampling"]),
        tracing_host=str(data["tracing_host"]),
        resources=data["resources"],
    )


def _build(where: str, given: Mapping[str, Any], bundle: Mapping[str, Any]) -> Build:
    """A site's own build, or the bundle's when nothing is given."""
    chosen = given or bundle
    missing = [field for field in ("hub", "tag", "istioctl") if not chosen.get(field)]
    if missing:
        raise ValueError(f"{where}: found no {', '.join(missing)}, expected hub, tag and istioctl")
    plain = bool(chosen.get("plain_envoy", False))
    return Build(str(chosen["hub"]), str(chosen["tag"]), str(chosen["istioctl"]), plain)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of base with over's values; mappings are merged, everything else is replaced."""
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = merged(known, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


# --- what istioctl renders ------------------------------------------------------------------------------------


def operator(build: Build, spec: Mapping[str, Any]) -> Object:
    """A document for ``istioctl manifest generate`` in which nothing is installed but what spec enables."""
    unvalidated = {
        # Else the check of Istio's objects starts with Ignore, istiod sets Fail, and every later apply sets it back.
        # istioctl's own list of values does not know this one yet, its charts do.
        "base": {"validationFailurePolicy": "Fail"},
        # istioctl sets this value to whether istio-cni is in the same document (istio: operator/pkg/render), and pods
        # would then set their rules themselves, with the rights that this takes.
        "pilot": {"cni": {"enabled": True}},
    }
    common = {
        "profile": "empty",
        "hub": build.hub,
        "tag": build.tag,
        "namespace": ISTIO_SYSTEM,
        "unvalidatedValues": unvalidated,
    }
    return {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": {**common, **spec}}


def shared_operator(mesh: Mesh) -> Object:
    """What all revisions share: definitions of Istio's kinds, the check of its objects, and istio-cni on every host."""
    values = {
        "global": {"imagePullPolicy": "IfNotPresent"},
        "defaultRevision": mesh.default.name,
        "cni": {
            "cniConfFileName": CALICO_CONFLIST,
            # A file of its own is for ambient mode only. In any other istio-cni adds itself to Calico's file all the
            # same and, set to own one, removes Calico's whole file when it goes (istio: cni/pkg/install/install.go).
            "istioOwnedCNIConfig": False,
            "useAppArmorAnnotation": False,
            "resources": dict(mesh.resources["cni"]),
        },
    }
    # By default it is probed every 10 s, and what waits for it waits as long after it has started.
    patch = {"path": "spec.template.spec.containers.[name:install-cni].readinessProbe.periodSeconds", "value": 2}
    overlay = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "istio-cni-node", "patches": [patch]}
    components = {"base": {"enabled": True}, "cni": {"enabled": True, "k8s": {"overlays": [overlay]}}}
    return operator(mesh.default.build, {"components": components, "values": values})


def revision_operator(mesh: Mesh, revision: Revision) -> Object:
    """One control plane."""
    environment = {"ISTIO_DUAL_STACK": "true"}
    pilot: dict[str, Any] = {
        "autoscaleEnabled": False,
        "replicaCount": mesh.replicas,
        "rollingMaxSurge": 1,
        "rollingMaxUnavailable": 0,
        "ipFamilyPolicy": "RequireDualStack",
        "ipFamilies": list(mesh.families),
        "resources": dict(mesh.resources["istiod"]),
        "affinity": apart({"app": "istiod", "istio.io/rev": revision.name}),
        "topologySpreadConstraints": evenly({"app": "istiod", "istio.io/rev": revision.name}),
    }
    if revision.build.plain_envoy:
        environment |= PLAIN_ENVOY_SWITCHES
    pilot["env"] = environment
    mesh_config: dict[str, Any] = {
        "trustDomain": mesh.domain,
        # The agent and istio-cni read it from the pod: without it IPv6 is not redirected while all looks well.
        "defaultConfig": {"proxyMetadata": {"ISTIO_DUAL_STACK": "true"}},
        "extensionProviders": [
            {"name": TRACING_PROVIDER, "opentelemetry": {"service": mesh.tracing_host, "port": COLLECTOR.port}}
        ],
    }
    values: dict[str, Any] = {
        "meshConfig": mesh_config,
        "global": {
            "imagePullPolicy": "IfNotPresent",
            "proxy": {"clusterDomain": mesh.domain, "resources": dict(mesh.resources["proxy"])},
        },
        "pilot": pilot,
        # Istio's own metrics are made by a filter that plain Envoy lacks.
        "telemetry": {"enabled": not revision.build.plain_envoy},
    }
    if revision.default:
        values["revisionTags"] = ["default"]
    return operator(
        revision.build,
        {
            "revision": revision.name,
            "components": {"pilot": {"enabled": True}},
            "values": merged(values, revision.settings),
        },
    )


def apart(labels: Mapping[str, str]) -> Object:
    """Affinity that puts pods with these labels on different hosts where there are enough."""
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": dict(labels)}}
    weighted = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}


def evenly(labels: Mapping[str, str]) -> list[Object]:
    """Constraint that does so when pods are replaced too.

    Affinity sees those that are on their way out, so of two hosts each has one, and both new pods may end on the same.
    """
    selector = {"matchLabels": dict(labels)}
    constraint = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    return [constraint | {"matchLabelKeys": ["pod-template-hash"]}]


# --- objects for the whole mesh -------------------------------------------------------------------------------


def mesh_objects(mesh: Mesh) -> list[Object]:
    """Rules of the root namespace: mutual TLS, tracing, and request metrics where Istio's own filter is absent."""
    objects = [
        _root_object("security.istio.io/v1", "PeerAuthentication", "default", {"mtls": {"mode": mesh.mtls_mode}})
    ]
    for revision in mesh.revisions:
        objects.append(_telemetry(mesh, revision))
        if revision.build.plain_envoy:
            objects.append(request_metrics(mesh, revision))
    return objects


def _telemetry(mesh: Mesh, revision: Revision) -> Object:
    """How often a revision's proxies trace; and that Istio's own filter, where there is one, labels the family."""
    tracing = {"providers": [{"name": TRACING_PROVIDER}], "randomSamplingPercentage": round(mesh.sampling, 2)}
    spec: dict[str, Any] = {"tracing": [tracing]}
    if not revision.build.plain_envoy:
        tags = {"ip_family": {"operation": "UPSERT", "value": FAMILY_EXPRESSION}}
        spec["metrics"] = [{"providers": [{"name": METRICS_PROVIDER}], "overrides": [{"tagOverrides": tags}]}]
    found = _root_object("telemetry.istio.io/v1", "Telemetry", f"mesh-{revision.name}", spec)
    found["metadata"]["labels"] = {"istio.io/rev": revision.name}
    return found


def _root_object(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    metadata = {"name": name, "namespace": ISTIO_SYSTEM}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


# The address that the client dialled shows its family. Bounded to two values in the proxy already.
FAMILY_EXPRESSION = "destination.address.startsWith('[') ? 'IPv6' : 'IPv4'"
IP_FAMILY = f"%CEL({FAMILY_EXPRESSION})%"
UNKNOWN = "unknown"
# Who calls, sent by the caller's proxy to the called one, which takes it out of the request again: a header for each of
# OWN_NAMES, because Envoy's CEL joins no texts. They go to the cluster's own Services only.
PEER_HEADER = "x-twinstack-source-"
PEER_METADATA = "twinstack.source"


def _node(*path: str) -> str:
    """A CEL expression for what the proxy knows of its own pod."""
    return "xds.node.metadata" + "".join(f"['{part}']" for part in path)


CANONICAL = ("LABELS", "service.istio.io/canonical-name"), ("LABELS", "service.istio.io/canonical-revision")
OWN_NAMES = {
    "workload": ("WORKLOAD_NAME",),
    "workload_namespace": ("NAMESPACE",),
    "canonical_service": CANONICAL[0],
    "canonical_revision": CANONICAL[1],
}
SERVICE = "xds.cluster_metadata.filter_metadata['istio']['services'][0]"
# Istio's standard labels (istio.io: Istio Standard Metrics). An empty value makes Envoy refuse its whole listener, so
# each says something. `dwl` is taken apart by Prometheus, see prometheus_jobs.py.
COMMON_LABELS = {
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "grpc_response_status": "%GRPC_STATUS_NUMBER%",
    "request_protocol": "%CEL('content-type' in request.headers && "
    "request.headers['content-type'].startsWith('application/grpc') ? 'grpc' : 'http')%",
    "source_cluster": "Kubernetes",
    "destination_cluster": "Kubernetes",
    "destination_service": f"%CEL({SERVICE}['host'])%",
    "destination_service_name": f"%CEL({SERVICE}['name'])%",
    "destination_service_namespace": f"%CEL({SERVICE}['namespace'])%",
    "ip_family": IP_FAMILY,
}
# As the caller's proxy sees it. `dwl`: "workload;namespace;canonical service;canonical revision;cluster" of the chosen
# endpoint.
SOURCE_LABELS = {
    **COMMON_LABELS,
    "reporter": "source",
    "connection_security_policy": UNKNOWN,
    "source_principal": UNKNOWN,
    "destination_principal": UNKNOWN,
    **{f"source_{name}": f"%CEL({_node(*path)})%" for name, path in OWN_NAMES.items()},
    "dwl": "%UPSTREAM_METADATA(istio:workload)%",
}
# As the called proxy sees it.
DESTINATION_LABELS = {
    **COMMON_LABELS,
    "reporter": "destination",
    "connection_security_policy": "%CEL(connection.mtls ? 'mutual_tls' : 'none')%",
    "source_principal": "%DOWNSTREAM_PEER_URI_SAN%",
    "destination_principal": "%DOWNSTREAM_LOCAL_URI_SAN%",
    **{f"destination_{name}": f"%CEL({_node(*path)})%" for name, path in OWN_NAMES.items()},
    **{f"source_{name}": f"%DYNAMIC_METADATA({PEER_METADATA}:{name})%" for name in OWN_NAMES},
}


def request_metrics(mesh: Mesh, revision: Revision) -> Object:
    """istio_requests_total and istio_request_duration_milliseconds out of Envoy's own stats access logger."""
    patches = []
    for context in ("SIDECAR_OUTBOUND", "GATEWAY", "SIDECAR_INBOUND"):
        inbound = context == "SIDECAR_INBOUND"
        match = {"context": context, "listener": {"filterChain": {"filter": {"name": HTTP_MANAGER}}}}
        patch = {"operation": "MERGE", "value": _stats_logger(DESTINATION_LABELS if inbound else SOURCE_LABELS)}
        patches.append({"applyTo": "NETWORK_FILTER", "match": match, "patch": patch})
        told = _hear_peer() if inbound else _tell_peer(mesh.domain)
        patch = {"operation": "INSERT_FIRST", "value": told}
        patches.append({"applyTo": "HTTP_FILTER", "match": match, "patch": patch})
    found = _root_object(
        "networking.istio.io/v1alpha3", "EnvoyFilter", f"request-metrics-{revision.name}", {"configPatches": patches}
    )
    found["metadata"]["labels"] = {"istio.io/rev": revision.name}
    return found


def _stats_logger(labels: Mapping[str, str]) -> Object:
    """What is merged into a connection manager so that it counts its requests with these labels."""
    tags = [{"name": name, "value_format": value} for name, value in labels.items()]
    logger = {
        "@type": STATS_LOGGER,
        "stat_prefix": "istio",
        "counters": [{"stat": {"name": "requests_total", "tags": tags}, "value_fixed": 1}],
        "histograms": [
            {
                "stat": {"name": "request_duration_milliseconds", "tags": tags},
                "unit": "Milliseconds",
                "value_format": "%DURATION%",
            }
        ],
    }
    log = {"name": "envoy.access_loggers.stats", "typed_config": logger}
    return {"typed_config": {"@type": HTTP_MANAGER_TYPE, "access_log": [log]}}


def _header(name: str) -> str:
    """The header that one of OWN_NAMES travels in."""
    return PEER_HEADER + name.replace("_", "-")


def _tell_peer(domain: str) -> Object:
    """A filter that sends Services of the cluster who calls. What the program itself put there goes in any case.

    A header whose value is empty, as it is for hosts outside the cluster, is not added.
    """
    mutations: list[Object] = []
    for name, path in OWN_NAMES.items():
        value = f"%CEL(xds.cluster_name.endsWith('.svc.{domain}') ? {_node(*path)} : '')%"
        header = {"header": {"key": _header(name), "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        mutations += [{"remove": _header(name)}, {"append": header}]
    config = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": mutations},
    }
    return {"name": "twinstack.tell_peer", "typed_config": config}


def _hear_peer() -> Object:
    """A filter that keeps the caller's names for the counters and takes them out of the request."""
    rules = [
        {
            "header": _header(name),
            "on_header_present": {"metadata_namespace": PEER_METADATA, "key": name},
            "on_header_missing": {"metadata_namespace": PEER_METADATA, "key": name, "value": UNKNOWN},
            "remove": True,
        }
        for name in OWN_NAMES
    ]
    config = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
        "request_rules": rules,
    }
    return {"name": "twinstack.hear_peer", "typed_config": config}
