#!/usr/bin/python
# Apache-2.0
"""Check whether proxies rejected configuration from istiod (xDS NACK)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_rejected_config
short_description: Check whether proxies rejected configuration from istiod (xDS NACK)
version_added: 0.1.0
description:
  - Reads the metrics of every istiod through the API server. Run before a change it returns what was rejected so far;
    run after it, with that as O(before), it fails when something was rejected in between.
  - A rejected configuration goes unnoticed otherwise, because proxies go on with the one they had.
  - Runs on the controller and changes nothing.
  - The user of O(kubeconfig) must be allowed to reach pods through the API server.
options:
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
        was just installed, one look is enough.
    type: float
    default: 0
  since:
    description:
      - When the change came, in seconds of the epoch, from which O(seconds) are counted. A proxy that
        became ready after it has accepted its configuration. 0 is now.
    type: float
    default: 0
  note:
    description:
      - A file that is written, if it is not there, before the module ends, to say that a validation has become
        necessary. A run that is interrupted leaves it for the next one.
    type: path
attributes:
  check_mode:
    support: full
    details: Reads only; O(note) is not written.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Read what was rejected so far
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
noted:
  description: Whether O(note) was there already.
  returned: success
  type: bool
"""

import time
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.istio import rejected_config
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, RefusedError
from ansible_collections.twinstack.core.plugins.module_utils.kube.paths import path, proxy

PORT = 15014
# istio: files/injection-template.yaml and gateway-injection-template.yaml. Every pod that gets a proxy bears it.
PROXY_LABEL = "service.istio.io/canonical-name"

SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    "namespace": {"type": "str", "default": "istio-system"},
    "before": {"type": "dict"},
    "seconds": {"type": "float", "default": 0},
    "since": {"type": "float", "default": 0},
    "note": {"type": "path"},
}
NOTE = "A change was begun that Istio has not validated yet.\n"


def read(client: Client, namespace: str) -> dict[str, dict[str, int]]:
    """Refusals by running istiod; one that is just going or coming is left out."""
    found = {}
    for item in client.items(path("v1", "pods", namespace), "app=istiod"):
        name, status = item["metadata"]["name"], item["status"]
        # After a cold boot it is "Running" without an address until its network is recreated.
        if status.get("phase") != "Running" or not status.get("podIP") or item["metadata"].get("deletionTimestamp"):
            continue
        try:
            found[name] = rejected_config.parse(client.text(f"{proxy('pods', namespace, name, PORT)}/metrics"))
        except RefusedError as error:
            if error.status not in (404, 503):  # gone, or not answering yet
                raise
    return found


def has_proxies(client: Client) -> bool:
    """Whether any pod has a proxy that could refuse something."""
    return bool(client.request("GET", path("v1", "pods"), {"labelSelector": PROXY_LABEL, "limit": "1"})["items"])


def _ended(module: AnsibleModule, rejects: dict[str, dict[str, int]]) -> NoReturn:
    """End the module with its note written. It is the run's own bookkeeping: no host and no cluster changes."""
    noted = False
    if module.params["note"]:
        note = Path(module.params["note"])
        noted = note.exists()
        if not noted and not module.check_mode:
            try:
                note.write_text(NOTE, encoding="utf-8")
            except OSError as error:
                hint = f"ls -ld {note.parent}"
                kube_module.refuse(module, Finding(str(note), "note", str(error), "a file that can be written", hint))
    module.exit_json(changed=False, rejects=rejects, noted=noted)
    raise AssertionError("exit_json came back")


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    before = module.params["before"]
    if kube_module.comes_later(module):
        _ended(module, {})
    end = time.monotonic() + rejected_config.left(module.params["seconds"], module.params["since"], time.time())
    client = kube_module.connect(module, "twinstack")
    rejects: dict[str, dict[str, int]] = {}
    first = True
    with kube_module.answering(module, "istiod's metrics", "istioctl proxy-status"):
        try:
            while True:
                rejects = read(client, module.params["namespace"])
                lines = rejected_config.newer(before, rejects) if before is not None else []
                if lines or time.monotonic() >= end or (first and not has_proxies(client)):
                    break
                first = False
                time.sleep(0.5)
        except API_ERRORS:
            if not module.check_mode:
                raise
            _ended(module, {})
    if lines:
        title = "Proxies refused their new configuration and go on with the old one:"
        module.fail_json(msg="\n".join([title, *(f"  {line}" for line in lines), "Try: istioctl proxy-status"]))
    _ended(module, rejects)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
