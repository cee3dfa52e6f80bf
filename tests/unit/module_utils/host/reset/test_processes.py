"""Units of a cluster, in sample texts."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.module_utils.host.reset import processes

from tests.unit.module_utils.host.reset.samples import encoded, record


def test_units_that_run_or_start_at_boot() -> None:
    text = (
        "Id=kubelet.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=containerd.service\nActiveState=inactive\nUnitFileState=disabled\n\n"
        "Id=x.service\nActiveState=inactive\nUnitFileState=enabled\n"
    )
    assert processes.parse_units(text) == ["kubelet.service", "x.service"]


def test_only_units_whose_file_we_wrote_are_ours() -> None:
    units = {"systemd-timesyncd.service": "", "kubelet.service": ""}
    files = {
        "/etc/systemd/system/own.service": None,
        "/etc/systemd/system/old.service": encoded("x"),
        "/etc/hosts": None,
    }
    assert processes.own_units(record(units=units, files=files)) == [
        "containerd.service",
        "kubelet.service",
        "own.service",
        "twinstack-image-import-*.service",
    ]
