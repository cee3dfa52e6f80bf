"""A pod on every node that does nothing but answer echo requests: there is always a way to try into each. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import RESTRICTED

NAME = "twinstack-node-ping"
NOBODY = 65534


def node_ping(image: str) -> dict[str, Any]:
    """The DaemonSet. image: of the pause program, which every node holds anyway; the kernel answers, not it."""
    labels = {"app": NAME}
    container = {
        "name": "pause",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # No share of a processor: a control plane with one has promised all of it already.
        "resources": {"requests": {"memory": "4Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": RESTRICTED | {"runAsUser": NOBODY},
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": "kube-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
