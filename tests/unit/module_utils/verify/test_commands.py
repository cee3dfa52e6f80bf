"""Next commands: what a person runs after a probe has failed."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify import commands
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import node_port

from tests.unit.module_utils.verify.samples import probes_of, raw_cluster


@pytest.mark.parametrize(
    ("why", "command"),
    [
        ("pod/cp1 does not run: Pending", "spec.nodeName=cp1; on cp1: journalctl"),
        ("node cp1 has no IPv6 address", "kubectl get node cp1 "),
        ("Service kube-system/kube-dns has no IPv6 address", "service kube-dns"),
        ("no pod has an IPv6 address", "ippools"),
    ],
)
def test_what_was_not_tried_points_at_what_is_missing(why: str, command: str) -> None:
    assert command in commands.untried(why)


def test_from_outside_the_path_there_is_tried_first_then_the_node_itself() -> None:
    probe = probes_of(node_port.GROUP, raw_cluster())["node-port/IPv6/outside/cp1"]
    assert commands.from_outside(probe) == (
        "from outside: ip -6 route get fd66::11; ping -6 -c 3 fd66::11; "
        "on cp1: ipvsadm -Ln; sysctl net.ipv6.conf.all.forwarding"
    )
