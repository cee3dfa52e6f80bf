"""What Prometheus records and alerts of: rules.yml, and the ends of certificates that it cannot scrape. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from ansible_collections.twinstack.core.plugins.module_utils.contract import (
    ISTIOD_JOB,
    NODE_FAMILIES_JOB,
    SERVICE_FAMILIES_JOB,
)
from ansible_collections.twinstack.core.plugins.plugin_utils.manifests.observability import Object

# increase() misses the first refusal: the series begins with it, and what a series begins with is no increase. So a
# series that was not there ten minutes ago counts too, unless it is Prometheus that was not there.
REJECTS = "sum by (instance) (pilot_total_xds_rejects"
OF_ISTIOD, OF_SERVICES = f'{{job="{ISTIOD_JOB}"}}', f'{{job="{SERVICE_FAMILIES_JOB}"}}'
WATCHED_THEN = f"up{OF_ISTIOD} offset 10m == 1 or time() - process_start_time_seconds{OF_ISTIOD} < 600"
REJECTED = (
    "sum by (instance) (increase(pilot_total_xds_rejects[10m])) > 0"
    f" or ({REJECTS}) > 0 unless {REJECTS} offset 10m)) and on (instance) ({WATCHED_THEN})"
)
CERTIFICATE_END = "twinstack:certificate:end_seconds"


def _certificates(ends: Mapping[str, str]) -> list[Object]:
    """Ends of the control planes' certificates as series, because nothing in a cluster exposes those of etcd.

    ends: RFC 3339 times by name. They are as of the last run; the next one reads them again.
    """
    return [
        {
            "record": CERTIFICATE_END,
            "expr": f"vector({int(datetime.fromisoformat(end).timestamp())})",
            "labels": {"certificate": name},
        }
        for name, end in sorted(ends.items())
    ]


def prometheus_rules(certificates: Mapping[str, str]) -> Object:
    """rules.yml: sums that pages query, and what is wrong with a dual-stack mesh. certificates: see _certificates."""
    by = "source_workload, destination_service_name, destination_service_namespace, response_code, ip_family"
    recorded = [
        {
            "record": "twinstack:requests:rate1m",
            "expr": f"sum by ({by}) (rate(istio_requests_total[1m]))",
        }
    ]
    alerts = [
        {
            "alert": "ConfigurationRejected",
            "expr": REJECTED,
            "labels": {"severity": "critical"},
            "annotations": {"summary": "a proxy rejected configuration (xDS NACK): istioctl proxy-status names it"},
        },
        {
            "alert": "FamilyLostOnNode",
            "expr": f'up{{job="{NODE_FAMILIES_JOB}"}} == 0',
            "for": "1m",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "{{ $labels.node }} does not answer over {{ $labels.ip_family }}"},
        },
        {
            "alert": "FamilyLostOnService",
            # Either there is no real server behind the address, which IPVS refuses, or no address in DNS.
            "expr": f"up{OF_SERVICES} == 0 "
            f'or label_replace(count by (service) (up{OF_SERVICES}) < 2, "ip_family", "one", "", "")',
            "for": "1m",
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": "Service {{ $labels.service }} does not answer over {{ $labels.ip_family }} of its "
                "families: kubectl get endpointslices -A; on any host: ipvsadm -Ln"
            },
        },
        {
            "alert": "ServiceWithoutServers",
            "expr": "count by (protocol, address, port, ip_family) (twinstack_ipvs_without_real_servers)",
            "for": "2m",
            "labels": {"severity": "warning"},
            "annotations": {
                "summary": "{{ $labels.protocol }} {{ $labels.address }} port {{ $labels.port }} has no real server on "
                "{{ $value }} hosts: kubectl get services,endpointslices -A; on any host: ipvsadm -Ln"
            },
        },
        {
            "alert": "CertificateExpires",
            "expr": f"{CERTIFICATE_END} - time() < 30 * 86400",
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": "{{ $labels.certificate }} ends within 30 days: kubeadm certs renew all, then site.yml again"
            },
        },
        {
            "alert": "FamilyWithoutRequests",
            "expr": "count by (destination_service_name) (sum by (destination_service_name, ip_family) "
            "(rate(istio_requests_total[30m]) > 0)) == 1",
            "for": "30m",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "{{ $labels.destination_service_name }} gets requests in one IP family only"},
        },
        {
            "alert": "MeshRootCertificateExpires",
            "expr": "min(citadel_server_root_cert_expiry_timestamp) - time() < 30 * 86400",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "the mesh's root certificate ends within 30 days"},
        },
        {
            "alert": "KubeletCertificateExpires",
            "expr": "kubelet_certificate_manager_client_ttl_seconds < 7 * 86400",
            "for": "1h",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "the kubelet of {{ $labels.node }} has a certificate for less than 7 days"},
        },
        {
            "alert": "ClientCertificateExpires",
            "expr": "histogram_quantile(0.01, sum by (le) "
            "(rate(apiserver_client_certificate_expiration_seconds_bucket[1h]))) < 7 * 86400",
            "for": "1h",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "a client of the API server has a certificate for less than 7 days"},
        },
        {
            "alert": "TargetDown",
            "expr": "up == 0",
            "for": "5m",
            "labels": {"severity": "warning"},
            "annotations": {"summary": "{{ $labels.job }} does not answer on {{ $labels.instance }}"},
        },
    ]
    return {"groups": [{"name": "twinstack", "rules": [*recorded, *_certificates(certificates), *alerts]}]}


def certificate_ends(text: str) -> dict[str, str]:
    """Ends of certificates by name, from the JSON of ``kubeadm certs check-expiration``; none without a text.

    Raises ValueError for a text that is not it.
    """
    if not text:
        return {}
    try:
        found = json.loads(text)
        listed = [*found["certificates"], *found["certificateAuthorities"]]
        return {item["name"]: item["expirationDate"] for item in listed if not item.get("missing")}
    except (KeyError, TypeError) as error:
        raise ValueError(f"kubeadm certs check-expiration: found no {error}, expected its JSON") from error
