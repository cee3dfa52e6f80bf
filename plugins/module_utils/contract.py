"""Names and ports that the installer gives, and that the verification or the scenarios look for."""

from __future__ import annotations

# --- the mesh -------------------------------------------------------------------------------------------------

ISTIO_SYSTEM = "istio-system"  # namespace
ISTIO_PROXY = "istio-proxy"  # the mesh's own container in every pod

# --- observability --------------------------------------------------------------------------------------------

OBSERVABILITY = "observability"  # namespace; what is in it: module_utils/observability.py

# Prometheus' jobs. The first two look at every target in both families, the others in the family that the first
# address of a pod or a node has.
NODE_FAMILIES_JOB = "node-families"
SERVICE_FAMILIES_JOB = "service-families"
PROXIES_JOB = "proxies"
ISTIOD_JOB = "istiod"
ISTIO_CNI_JOB = "istio-cni"
COREDNS_JOB = "coredns"
KUBELET_JOB = "kubelet"
PODS_JOB = "pods"
FELIX_JOB = "felix"
API_SERVER_JOB = "api-server"
IPVS_JOB = "ipvs"
PROMETHEUS_JOB = "prometheus"  # Prometheus itself

# --- tenants --------------------------------------------------------------------------------------------------

CERTIFICATE_HOST = "twinstack.core/certificate-host"  # annotation: a name that a gateway's certificate is good for
DEMO_PORT = 8080  # of the demo service's program
