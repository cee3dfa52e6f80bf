#!/usr/bin/python
"""Refuses a mesh that istioctl finds fault with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_gate
short_description: Refuse a mesh that istioctl finds fault with
version_added: 0.1.0
description:
  - Asks istioctl to analyse the whole cluster for every revision, and whether every proxy has got all that istiod
    sends. Proxies get some time; the analysis has to be clean at once.
options:
  istioctl:
    description: Path of istioctl.
    type: path
    required: true
  kubeconfig:
    description: Kubeconfig of a user who may read everything and forward ports.
    type: path
    required: true
  revisions:
    description: Names of the revisions.
    type: list
    elements: str
    required: true
  level:
    description: From which level on a finding is refused.
    type: str
    choices: [Error, Warning, Info]
    default: Error
  timeout:
    description: How long proxies have, in seconds.
    type: float
    default: 30
attributes:
  check_mode:
    description: Does nothing.
    support: full
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Refuse a mesh that istioctl finds fault with
  twinstack.core.istio_gate:
    istioctl: /usr/local/bin/istioctl
    kubeconfig: ~/.kube/config
    revisions: [stable]
"""

RETURN = r"""
findings:
  description: What is worth a warning, which the module gives too, as each is one that a user's own objects may cause.
  returned: success
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils import istio_gate

POLL_SECONDS = 1.0
# Characters of an answer that is not understood, enough to know it by.
SAID = 300


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "istioctl": {"type": "path", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "revisions": {"type": "list", "elements": "str", "required": True},
            "level": {"type": "str", "choices": list(istio_gate.LEVELS), "default": "Error"},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, findings=[])
    command = [module.params["istioctl"], "--kubeconfig", module.params["kubeconfig"]]

    said = ""

    def ask(*words: str) -> str:
        nonlocal said
        status, output, errors = module.run_command([*command, *words, "--output", "json"])
        said = f"{words[0]}: found {output.strip()[:SAID]!r}"
        # An analysis with findings ends with a status of its own, and with them on its standard output.
        if status and not output.strip():
            module.fail_json(msg=f"{' '.join(words)}: found exit status {status}: {errors.strip()}, expected an answer")
        return output

    wrong: list[str] = []
    seen: list[str] = []
    end = time.monotonic() + module.params["timeout"]
    try:
        for revision in module.params["revisions"]:
            text = ask("analyze", "--all-namespaces", "--revision", revision)
            wrong += istio_gate.findings(text, module.params["level"])
            seen += istio_gate.notes(text)
            late = istio_gate.behind(ask("proxy-status", "--revision", revision))
            while late and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
                late = istio_gate.behind(ask("proxy-status", "--revision", revision))
            wrong += [f"{line} after {module.params['timeout']:.0f} s, expected SYNCED" for line in late]
    except (ValueError, KeyError, AttributeError) as error:
        module.fail_json(msg=f"istioctl {said}, expected JSON that it is known to write ({error})")
    if wrong:
        hint = "istioctl analyze -A; istioctl proxy-status"
        module.fail_json(msg="\n".join(["istioctl finds fault:", *(f"  {line}" for line in wrong), f"Try: {hint}"]))
    for line in dict.fromkeys(seen):
        module.warn(f"istioctl: {line}")
    module.exit_json(changed=False, findings=seen)


if __name__ == "__main__":
    main()
