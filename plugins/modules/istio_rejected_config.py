#!/usr/bin/python
# Apache-2.0
"""Tell whether proxies refused what istiod sent them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_rejected_config
short_description: Tell whether proxies refused the configuration that istiod sent them
version_added: 0.1.0
description:
  - Reads the metrics of every istiod through the API server. Run before a change it returns what was refused so far;
    run after it, with that as O(before), it fails when something was refused in between.
  - A refused configuration goes unseen otherwise, because proxies go on with the one they had.
  - Runs on the controller and changes nothing.
options:
  kubeconfig:
    description: Kubeconfig of a user who may reach pods through the API server.
    type: path
    required: true
  namespace:
    description: Where the control planes are.
    type: str
    default: istio-system
  before:
    description: What an earlier run returned as RV(rejects). Without it nothing fails.
    type: dict
  seconds:
    description:
      - How long to look, because proxies get a change some moments later. Where no pod has a proxy, as in a mesh that
        was just made, one look is enough.
    type: float
    default: 0
  since:
    description:
      - When the change was made, in seconds of the epoch, from which O(seconds) are counted. A proxy that
        became ready after it has accepted its configuration. 0 is now.
    type: float
    default: 0
attributes:
  check_mode:
    description: Reads only.
    support: full
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Read what was refused so far
  twinstack.core.istio_rejected_config:
    kubeconfig: ~/.kube/config
  register: earlier

- name: Refuse a change that some proxy refused
  twinstack.core.istio_rejected_config:
    kubeconfig: ~/.kube/config
    before: "{{ earlier.rejects }}"
    seconds: 3
"""

RETURN = r"""
rejects:
  description: By istiod's pod, how often each proxy refused something and why. Empty without a cluster or an istiod.
  returned: success
  type: dict
"""

import time
import traceback
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.twinstack.core.plugins.module_utils.istio import rejected_config

MISSING = ""
try:
    from ansible_collections.twinstack.core.plugins.module_utils.kube.client import (
        CONNECTION_ERRORS,
        Client,
        RefusedError,
    )
    from kubernetes.config import ConfigException
except ImportError:
    MISSING = traceback.format_exc()

PORT = 15014
# istio: files/injection-template.yaml and gateway-injection-template.yaml. Every pod that gets a proxy bears it.
PROXY_LABEL = "service.istio.io/canonical-name"

SPEC: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "namespace": {"type": "str", "default": "istio-system"},
    "before": {"type": "dict"},
    "seconds": {"type": "float", "default": 0},
    "since": {"type": "float", "default": 0},
}


def read(client: Client, namespace: str) -> dict[str, dict[str, int]]:
    """Refusals by running istiod; one that is just going or coming is left out."""
    root = f"/api/v1/namespaces/{namespace}/pods"
    found = {}
    for item in client.request("GET", root, {"labelSelector": "app=istiod"})["items"]:
        name, status = item["metadata"]["name"], item["status"]
        # After a cold boot it is "Running" without an address until its network is made anew.
        if status.get("phase") != "Running" or not status.get("podIP") or item["metadata"].get("deletionTimestamp"):
            continue
        try:
            found[name] = rejected_config.parse(client.text(f"{root}/{name}:{PORT}/proxy/metrics"))
        except RefusedError as error:
            if error.status not in (404, 503):  # gone, or not answering yet
                raise
    return found


def has_proxies(client: Client) -> bool:
    """Whether any pod has a proxy that could refuse something."""
    return bool(client.request("GET", "/api/v1/pods", {"labelSelector": PROXY_LABEL, "limit": "1"})["items"])


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    if MISSING:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=MISSING)
    kubeconfig, before = module.params["kubeconfig"], module.params["before"]
    if not Path(kubeconfig).is_file() and module.check_mode:
        module.exit_json(changed=False, rejects={})
    end = time.monotonic() + rejected_config.left(module.params["seconds"], module.params["since"], time.time())
    rejects: dict[str, dict[str, int]] = {}
    first = True
    try:
        client = Client(kubeconfig, None, "twinstack")
        while True:
            rejects = read(client, module.params["namespace"])
            lines = rejected_config.newer(before, rejects) if before is not None else []
            if lines or time.monotonic() >= end or (first and not has_proxies(client)):
                break
            first = False
            time.sleep(0.5)
    except (ConfigException, RefusedError, *CONNECTION_ERRORS) as error:
        if module.check_mode:
            module.exit_json(changed=False, rejects={})
        module.fail_json(msg=f"{kubeconfig}: istiod's metrics: found {error}, expected an answer of the API server")
    if lines:
        title = "Proxies refused their new configuration and go on with the old one:"
        module.fail_json(msg="\n".join([title, *(f"  {line}" for line in lines), "Try: istioctl proxy-status"]))
    module.exit_json(changed=False, rejects=rejects)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
