#!/usr/bin/python
# Apache-2.0
"""Run kubeadm on one host, once, and go on where an interrupted run stopped."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: Create a cluster, join it, or hand out a join token with kubeadm
version_added: 0.1.0
description:
  - C(init) and C(join) run kubeadm once. A record in C(/etc/twinstack/kubeadm.json) says whether it came to its end;
    an unfinished run is resumed, a host that is a node of a foreign cluster is refused. After a finished C(init)
    nothing is done, whatever O(config) says.
  - An C(init) that never came to its end, and was started with another O(config), is started over after
    C(kubeadm reset) on this host. No worker can have joined it.
  - C(probe) says whether a join is needed and changes nothing. C(token) makes a short-lived token on a control plane.
options:
  phase:
    description: What to do.
    type: str
    choices: [init, join, probe, token]
    required: true
  config:
    description: kubeadm's documents as YAML text.
    type: str
    default: ""
  token:
    description: For C(join), what replaces C(@TOKEN@) in O(config). Kept apart so that the documents can be shown.
    type: str
    default: ""
  ca_digest:
    description: For C(probe), the digest of the CA file that the cluster has now. Another one means another cluster.
    type: str
    default: ""
  ttl:
    description: Life of the token.
    type: str
    default: 15m
  api_port:
    description: For C(init), the port of the API server.
    type: int
    default: 6443
  timeout:
    description: Longest run in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The documents of a C(phase) that creates or joins; before a restart, those of the init that failed, too.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.attributes.diff
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Create the cluster
  twinstack.core.kubeadm:
    phase: init
    config: "{{ twinstack_cluster | twinstack.core.kubeadm_init(inventory_hostname) }}"
"""

RETURN = r"""
decision:
  description: >-
    What was done, or would be with C(--check) - C(nothing); C(run), the first one; C(resume) of one that was cut off;
    C(restart) of an init that failed, with other documents.
  returned: for init and join
  type: str
  sample: nothing
ca_digest:
  description: sha256 of the cluster's CA certificate file; empty before init.
  returned: for init and probe
  type: str
joined:
  description: This host is a node of the cluster.
  returned: for probe
  type: bool
token:
  description: The token; the task must not log it.
  returned: for token
  type: str
ca_hashes:
  description: Hashes that pin the CA.
  returned: for token
  type: list
  elements: str
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["init", "join", "probe", "token"], "required": True},
            "config": {"type": "str", "default": ""},
            "token": {"type": "str", "default": "", "no_log": True},
            "ca_digest": {"type": "str", "default": ""},
            "ttl": {"type": "str", "default": "15m"},
            "api_port": {"type": "int", "default": 6443},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    phase, config = module.params["phase"], module.params["config"]
    try:
        if phase == "probe":
            module.exit_json(changed=False, **probe(module.params["ca_digest"]))
        if phase == "token":
            if module.check_mode:
                module.exit_json(changed=False, token="", ca_hashes=[])
            token, hashes = kubeadm.create_token(module.params["ttl"])
            module.exit_json(changed=False, token=token, ca_hashes=hashes)
        timeout = module.params["timeout"]
        with contextlib.nullcontext() if module.check_mode else kubeadm.only_one(timeout):
            todo = kubeadm.decide(kubeadm.load(), phase, kubeadm.digest(config), kubeadm.foreign_state())
            before = kubeadm.read_config() if todo == "restart" else ""
            if not module.check_mode:
                documents = config.replace("@TOKEN@", module.params["token"])
                kubeadm.carry_out(todo, phase, documents, module.params["api_port"], timeout)
        if todo == "nothing":
            module.exit_json(changed=False, decision=todo, ca_digest=kubeadm.ca_digest())
        header = "kubeadm init, which failed" if todo == "restart" else "kubeadm"
        module.exit_json(
            changed=True,
            decision=todo,
            ca_digest=kubeadm.ca_digest(),
            diff={"before_header": header, "after_header": f"kubeadm {phase}", "before": before, "after": config},
        )
    except kubeadm.KubeadmError as error:
        module.fail_json(msg=str(error))


def probe(cluster_ca: str) -> dict[str, object]:
    """Whether this host finished joining; raises KubeadmError when it belongs to another cluster."""
    record = kubeadm.load()
    kubeadm.decide(record, "join", "", kubeadm.foreign_state())
    own = kubeadm.ca_digest()
    joined = record is not None and (record.finished or kubeadm.joined_after_all(own, cluster_ca))
    if joined and cluster_ca and own != cluster_ca:
        raise kubeadm.KubeadmError(
            f"{kubeadm.CA_FILE}: found the CA of another cluster than the control plane's. "
            f"Try: {kubeadm.RESET} --limit on this host, then site.yml"
        )
    return {"joined": joined, "ca_digest": own}


if __name__ == "__main__":
    main()
