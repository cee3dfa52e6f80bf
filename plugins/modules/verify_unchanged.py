#!/usr/bin/python
"""Tell whether a cluster's last verification still stands."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_unchanged
short_description: Tell whether a cluster's last verification still stands
version_added: 0.1.0
description:
  - Compares what the last report of M(twinstack.core.verify) was about with the cluster as it is, and looks into the
    record of the run that goes on for anything that it has changed.
  - Reads only.
  - The user of O(kubeconfig) must be allowed to read everything.
options:
  report:
    description: The last report, a JSON file. It need not exist.
    type: path
    required: true
  run:
    description: What the callback run_report writes about the run that goes on. It need not exist.
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
- name: See whether the last verification still stands
  twinstack.core.verify_unchanged:
    kubeconfig: "{{ twinstack_artifacts_dir }}/kubeconfig"
    report: "{{ twinstack_artifacts_dir }}/report.json"
    run: "{{ twinstack_artifacts_dir }}/run.json"
  register: __standing_result
"""

RETURN = r"""
stands:
  description: Whether it does.
  returned: always
  type: bool
why:
  description: Why it does not; empty when it does.
  returned: always
  type: str
ways:
  description: What every host should reach, for M(twinstack.core.host_connectivity).
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
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import API_ERRORS, KubeconfigError, reason
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
    why = fingerprint.never_verified(report, module.params["scenarios"])
    if why:
        module.exit_json(changed=False, stands=False, why=why, ways=[])
    try:
        client = Client(module.params["kubeconfig"], None, FIELD_MANAGER, retries=True)
        raw = VerificationCluster(client).everything()
    except (KubeconfigError, *API_ERRORS) as error:
        # The verification itself says what is wrong with the way to the API.
        module.exit_json(changed=False, stands=False, why=f"the API does not answer: {reason(error)}", ways=[])
    why = fingerprint.changed_since(report, run, fingerprint.state(raw))
    empty = fingerprint.uncovered(raw)
    if empty and not why:
        why = f"no pod of the cluster's own is on {', '.join(empty)}, so there is no way to try"
    module.exit_json(changed=False, stands=not why, why=why, ways=fingerprint.endpoints(raw))


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True))


if __name__ == "__main__":
    main()
