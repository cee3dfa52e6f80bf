"""What the kernel must be able to do."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel
from ansible_collections.twinstack.core.plugins.plugin_utils.preflight import system

from tests.unit.plugin_utils.preflight.samples import SETTINGS, findings, fit_hosts


def test_one_complete_iptables_back_end_is_enough() -> None:
    hosts = fit_hosts()
    features = hosts[0].probe["features"]
    features["ip6table_nat"]["state"] = "absent"
    assert findings(hosts) == []
    features["nft_compat"]["state"] = "absent"
    assert findings(hosts) == [("error", "cp1", "kernel.iptables_nat")]


def test_every_required_feature_is_probed() -> None:
    for mode in ("ipvs", "nftables"):
        wanted = system.wanted_features(replace(SETTINGS, proxy_mode=mode))
        assert set(wanted) <= set(host_probe_kernel.FEATURES)
    assert {name for backend in system.IPTABLES_BACKENDS for name in backend} <= set(host_probe_kernel.FEATURES)
