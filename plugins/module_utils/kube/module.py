"""What modules that talk to the API share: options, connecting, and the message for each failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import (
    API_ERRORS,
    MISSING,
    KubeconfigError,
    reason,
)

# As doc_fragments/kubeconfig.py describes them.
KUBECONFIG: dict[str, Any] = {"kubeconfig": {"type": "path", "required": True}}
CONTEXT: dict[str, Any] = {"context": {"type": "str"}}


def require_libraries(module: AnsibleModule) -> None:
    """End the module where it cannot talk to any API."""
    if MISSING:
        module.fail_json(msg=missing_required_lib("kubernetes, PyYAML"), exception=MISSING)


def comes_later(module: AnsibleModule) -> bool:
    """Whether there is no kubeconfig, and that is no mistake: in check mode no earlier task has made the cluster."""
    return bool(module.check_mode) and not Path(module.params["kubeconfig"]).is_file()


def connect(module: AnsibleModule, field_manager: str, retries: bool = False) -> Client:
    """A client by the module's options; ends the module with the reason where there can be none."""
    require_libraries(module)
    kubeconfig = module.params["kubeconfig"]
    if not Path(kubeconfig).is_file():
        hint = f"ls -l {Path(kubeconfig).parent}"
        refuse(module, Finding(kubeconfig, "kubeconfig", "no such file", "the cluster's kubeconfig", hint))
    try:
        return Client(kubeconfig, module.params.get("context"), field_manager, retries)
    except KubeconfigError as error:
        hint = f"kubectl --kubeconfig {kubeconfig} config view"
        refuse(module, Finding(kubeconfig, "kubeconfig", str(error), "a usable kubeconfig", hint))


def no_answer(module: AnsibleModule, error: Exception, field: str = "API", hint: str = "") -> Finding:
    """What one of API_ERRORS means. field: what was requested; hint: the command to try."""
    kubeconfig = module.params["kubeconfig"]
    look = hint or f"kubectl --kubeconfig {kubeconfig} get nodes,namespaces"
    return Finding(kubeconfig, field, reason(error), "an answer of the API server", look)


@contextmanager
def answering(module: AnsibleModule, field: str = "API", hint: str = "") -> Iterator[None]:
    """End the module with the reason when the API does not answer as it should."""
    try:
        yield
    except API_ERRORS as error:
        refuse(module, no_answer(module, error, field, hint))


def refuse(module: AnsibleModule, finding: Finding, **result: Any) -> NoReturn:
    """End the module with a finding."""
    module.fail_json(msg=finding.line(), finding=finding.as_dict(), **result)
    raise AssertionError("fail_json came back")
