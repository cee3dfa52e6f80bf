"""Lines of swap in an fstab."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.state import swap


def test_swap_lines_are_commented_out_once() -> None:
    fstab = "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n# /x none swap sw\n"
    once = swap.without_swap(fstab)
    assert once == "/dev/sda1 / ext4 defaults 0 1\n# twinstack: /dev/sda2 none swap sw 0 0\n# /x none swap sw\n"
    assert swap.without_swap(once) == once
