"""Routes and policy rules of a cluster, in samples."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.reset import network


def test_routes_of_calico_and_nothing_else() -> None:
    shown = [
        {"dst": "default", "dev": "eth0", "protocol": "static"},
        {"type": "blackhole", "dst": "10.244.1.0/26", "protocol": "80"},
        {"dst": "10.244.2.0/26", "gateway": "10.66.0.12", "dev": "eth0", "protocol": "80"},
        {"dst": "10.244.3.0/26", "dev": "eth0", "protocol": "bird", "table": "7"},
    ]
    calico = ["blackhole 10.244.1.0/26 table main proto 80", "unicast 10.244.2.0/26 dev eth0 table main proto 80"]
    assert network.own_routes(shown, bird_is_foreign=True) == calico
    assert network.own_routes(shown, bird_is_foreign=False) == [
        *calico,
        "unicast 10.244.3.0/26 dev eth0 table 7 proto bird",
    ]


def test_policy_rules_of_calico() -> None:
    shown = [{"priority": 0, "table": "local"}, {"priority": 99, "fwmark": "0x100000", "fwmask": "0x100000"}]
    assert network.own_ip_rules(shown) == ["priority 99 fwmark 0x100000/0x100000"]
