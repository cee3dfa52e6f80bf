#!/usr/bin/python
"""Validate a mesh with istioctl: its analysis, and the proxies' status."""

from __future__ import annotations

DOCUMENTATION = r"""
module: istio_validate
short_description: Istio validation by istioctl's analysis and proxy status
version_added: 0.1.0
description:
  - Runs istioctl's analysis of the whole cluster for every revision, and checks that every proxy has all configuration
    that istiod sends. Proxies get some time; the analysis has to be clean at once.
  - The user of O(kubeconfig) must be allowed to read everything and forward ports.
options:
  istioctl:
    description: Path of istioctl.
    type: path
    required: true
  revisions:
    description: Names of the revisions.
    type: list
    elements: str
    required: true
  level:
    description: Lowest level of a finding that fails the module.
    type: str
    choices: [Error, Warning, Info]
    default: Error
  timeout:
    description: How long proxies have, in seconds.
    type: float
    default: 30
attributes:
  check_mode:
    support: partial
    details: Runs nothing and finds nothing.
extends_documentation_fragment:
  - twinstack.core.attributes
  - twinstack.core.kubeconfig
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Validate the mesh with istioctl
  twinstack.core.istio_validate:
    istioctl: /usr/local/bin/istioctl
    kubeconfig: ~/.kube/config
    revisions: [stable]
"""

RETURN = r"""
findings:
  description: Findings that a user's own objects may cause; the module shows each as a warning, too.
  returned: success
  type: list
  elements: str
"""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.istio import validation
from ansible_collections.twinstack.core.plugins.module_utils.kube import module as kube_module

POLL_SECONDS = 1.0
# Characters of an answer that is not understood, enough to know it by.
SAID = 300

Answer = TypeVar("Answer")


class NoAnswerError(Exception):
    """istioctl did not answer, or not what it is known to."""


class Istioctl:
    """An istioctl that answers in JSON. What it logs, which it does on its standard output by default, is dropped."""

    def __init__(self, program: str, kubeconfig: str) -> None:
        self.command = [program, "--kubeconfig", kubeconfig, "--log_target", "stderr", "--output", "json"]

    def call(self, read: Callable[[str], Answer], *words: str) -> Answer:
        """What read makes of the answer. Raises NoAnswerError."""
        try:
            done = subprocess.run([*self.command, *words], capture_output=True, text=True, check=False)
        except OSError as error:
            raise NoAnswerError(f"{self.command[0]}: found {error}, expected the binary") from error
        said = done.stdout.strip()
        # An analysis with findings ends with a status of its own, and with them on its standard output.
        if done.returncode and not said:
            found = f"exit status {done.returncode}: {done.stderr.strip()}"
            raise NoAnswerError(f"istioctl {' '.join(words)}: found {found}, expected an answer")
        try:
            return read(said)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            text = f"istioctl {' '.join(words)}: found {said[:SAID]!r} ({error}), expected JSON as it is known to write"
            raise NoAnswerError(text) from error


def run(module: AnsibleModule) -> None:
    """What the module does, wherever it runs."""
    level, timeout = module.params["level"], module.params["timeout"]
    istioctl = Istioctl(module.params["istioctl"], module.params["kubeconfig"])

    def analysis(text: str) -> tuple[list[str], list[str]]:
        return validation.findings(text, level), validation.notes(text)

    wrong: list[str] = []
    seen: list[str] = []
    end = time.monotonic() + timeout
    try:
        with ThreadPoolExecutor(max_workers=1) as beside:
            for revision in module.params["revisions"]:
                analyzed = beside.submit(istioctl.call, analysis, "analyze", "--all-namespaces", "--revision", revision)
                late = istioctl.call(validation.behind, "proxy-status", "--revision", revision)
                while late and time.monotonic() < end:
                    time.sleep(POLL_SECONDS)
                    late = istioctl.call(validation.behind, "proxy-status", "--revision", revision)
                findings, notes = analyzed.result()
                wrong += [*findings, *(f"{line} after {timeout:.0f} s, expected SYNCED" for line in late)]
                seen += notes
    except NoAnswerError as error:
        module.fail_json(msg=str(error))
    if wrong:
        hint = "istioctl analyze -A; istioctl proxy-status"
        module.fail_json(msg="\n".join(["istioctl finds fault:", *(f"  {line}" for line in wrong), f"Try: {hint}"]))
    for line in dict.fromkeys(seen):
        module.warn(f"istioctl: {line}")
    module.exit_json(changed=False, findings=seen)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "istioctl": {"type": "path", "required": True},
            **kube_module.KUBECONFIG,
            "revisions": {"type": "list", "elements": "str", "required": True},
            "level": {"type": "str", "choices": list(validation.LEVELS), "default": "Error"},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, findings=[])
    run(module)


if __name__ == "__main__":
    main()
