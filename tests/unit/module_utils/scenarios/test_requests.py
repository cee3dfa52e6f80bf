"""Requests of scenarios in batches, for real."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.scenarios import model
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.requests import RequestSender
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import Settings

from tests.unit.module_utils.scenarios.samples import TENANTS, want


def test_it_sends_from_outside_and_keeps_repeats_together(port: int) -> None:
    sender = object.__new__(RequestSender)  # without a cluster: nothing here is sent from inside
    sender.settings = Settings(TENANTS, [], "", "", (), {}, 5, 5)
    sender.sent = {}
    items = [
        want(connect=f"127.0.0.1:{port}", repeat=3),
        model.RequestSpec("S", "IPv6", "foo", "outside", "t", "http://x/", connect=f"[::1]:{port}"),
    ]
    four, six = sender.answers(items)
    assert [answer["status"] for answer in four] == [200] * 3
    assert [answer["text"].split()[0] for answer in six] == ["::1"]
    assert sender.sent == {("foo", "IPv4"): 3, ("foo", "IPv6"): 1}
    other = model.RequestSpec("S", "IPv4", "bar", "outside", "t", "http://x/", connect=f"127.0.0.1:{port}")
    nowhere = model.RequestSpec("S", "IPv4", "bar", "outside", "t", "http://no-such-name.invalid/")
    answers = sender.answers([items[1], other, nowhere])
    assert [found["status"] for (found,) in answers] == [200, 200, 0], "each with its own, whichever comes first"
    assert not answers[2][0]["tried"]
