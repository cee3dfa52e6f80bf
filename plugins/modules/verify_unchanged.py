#!/usr/bin/python
"""Compare a cluster with its last verification."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_unchanged
short_description: Check whether a cluster is unchanged since its last verification
version_added: 0.1.0
description:
  - Compares the cluster with its state in the last report of M(twinstack.core.verify), and looks for changes in the
    record of the current run.
  - Reads only.
  - The user of O(kubeconfig) must be allowed to read everything.
options:
  report:
    description: The last report, a JSON file. It need not exist.
    type: path
    required: true
  run:
    description: Record of the current run, written by the callback run_report. It need not exist.
    type: path
    required: true
  scenarios:
    description: Ids of the scenarios that belong to a verification.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: Reads only.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Check whether the cluster is unchanged since the last verification
  twinstack.core.verify_unchanged:
    kubeconfig: "{{ twinstack_artifacts_dir }}/kubeconfig"
    report: "{{ twinstack_artifacts_dir }}/report.json"
    run: "{{ twinstack_artifacts_dir }}/run.json"
  register: unchanged_result
"""

RETURN = r"""
unchanged:
  description: Whether the cluster is unchanged since its last verification.
  returned: always
  type: bool
reason:
  description: What has changed; empty when nothing has.
  returned: always
  type: str
endpoints:
  description: Endpoints that every host should reach, for M(twinstack.core.host_connectivity).
  returned: always
  type: list
  elements: dict
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, KubeconfigError
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import reason as error_reason
from ansible_collections.twinstack.core.plugins.module_utils.verify import fingerprint
from ansible_collections.twinstack.core.plugins.module_utils.verify.cluster import FIELD_MANAGER, VerificationCluster

SPEC: dict[str, Any] = {
    **kube_module.KUBECONFIG,
    "report": {"type": "path", "required": True},
    "run": {"type": "path", "required": True},
    "scenarios": {"type": "list", "elements": "str", "default": []},
}


def read(path: str) -> dict[str, Any]:
    """A JSON file's object; empty when there is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    kube_module.require_libraries(module)
    report, run = read(module.params["report"]), read(module.params["run"])
    reason = fingerprint.never_verified(report, module.params["scenarios"])
    if reason:
        module.exit_json(changed=False, unchanged=False, reason=reason, endpoints=[])
    try:
        client = Client(module.params["kubeconfig"], None, FIELD_MANAGER, retries=True)
        raw = VerificationCluster(client).everything()
    except (KubeconfigError, *API_ERRORS) as error:
        # The verification itself says what is wrong with the connection to the API.
        reason = f"the API does not answer: {error_reason(error)}"
        module.exit_json(changed=False, unchanged=False, reason=reason, endpoints=[])
    reason = fingerprint.changed_since(report, run, fingerprint.state(raw))
    empty = fingerprint.uncovered(raw)
    if empty and not reason:
        reason = f"no pod of the cluster's own is on {', '.join(empty)}, so there is no endpoint to check"
    module.exit_json(changed=False, unchanged=not reason, reason=reason, endpoints=fingerprint.endpoints(raw))


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
