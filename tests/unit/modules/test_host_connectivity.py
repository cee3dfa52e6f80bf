"""What the module calls an endpoint that it does not reach."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twinstack.core.plugins.modules import host_connectivity


def test_a_lost_endpoint_does_not_make_its_host_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    """A result with anything in ``unreachable`` is a host that Ansible gives up, whatever the module meant."""
    endpoint = {"name": "DNS", "family": "IPv6", "address": "::1", "port": 1}
    with patch_module_args({"endpoints": [endpoint], "timeout": 1}), pytest.raises(SystemExit):
        host_connectivity.main()
    found = json.loads(capsys.readouterr().out)
    assert found["unreached"] == ["DNS by IPv6 (::1 port 1)"]
    assert "unreachable" not in found
