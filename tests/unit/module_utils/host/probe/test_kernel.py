"""Features of a kernel, by whatever it shows of them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import kernel as host_probe_kernel


def evidence(
    config: dict[str, str] | None = None,
    loaded: tuple[str, ...] = (),
    built_in: tuple[str, ...] = (),
    available: tuple[str, ...] | None = None,
    paths: tuple[str, ...] = (),
) -> host_probe_kernel.KernelEvidence:
    """Evidence of a kernel, empty unless given."""
    modules = None if available is None else frozenset(available)
    return host_probe_kernel.KernelEvidence(config, frozenset(loaded), frozenset(built_in), modules, frozenset(paths))


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (evidence(loaded=("ip_vs",)), "loaded"),
        (evidence(built_in=("ip_vs",)), "built_in"),
        (evidence(available=("ip_vs",)), "available"),
        (evidence(config={"CONFIG_IP_VS": "y"}), "built_in"),
        (evidence(config={}), "absent"),
        (evidence(config={"CONFIG_IP_VS": "m"}, available=()), "absent"),
        (evidence(paths=("/proc/net/ip_vs",)), "built_in"),
        (evidence(available=("vxlan",)), "absent"),
        (evidence(), "unknown"),
    ],
)
def test_a_feature_is_found_by_whatever_the_kernel_shows(seen: host_probe_kernel.KernelEvidence, state: str) -> None:
    assert host_probe_kernel.features(seen)["ip_vs"]["state"] == state


def test_a_module_whose_file_is_missing_says_so() -> None:
    seen = evidence(config={"CONFIG_VXLAN": "m"}, available=("ip_vs",))
    assert host_probe_kernel.features(seen)["vxlan"]["by"].startswith("CONFIG_VXLAN=m, but no file vxlan.ko")


def test_overlay_is_also_found_among_the_file_systems() -> None:
    assert host_probe_kernel.features(evidence(paths=("overlay",)))["overlay"]["state"] == "built_in"


@pytest.mark.parametrize("path", ["kernel/net/xt_set.ko", "kernel/net/xt-set.ko.xz", "kernel/net/xt_set.ko.zst"])
def test_module_names_lose_folder_suffix_and_dashes(path: str) -> None:
    assert host_probe_kernel.module_name(path) == "xt_set"


def test_without_any_trace_what_says_so_is_said() -> None:
    by = {name: found["by"] for name, found in host_probe_kernel.features(evidence()).items()}
    assert by["ip_vs"] == by["ip_vs_ipv6"] == "no kernel configuration and no module tree on the host"
    by = {name: found["by"] for name, found in host_probe_kernel.features(evidence(config={}, available=())).items()}
    assert by["ip_vs_ipv6"] == "CONFIG_IP_VS_IPV6 is not set"


def test_a_part_of_a_module_is_known_by_its_symbol_alone() -> None:
    """IPv6 in IPVS has no module of its own: a module tree says nothing of it."""
    there = evidence(config={"CONFIG_IP_VS_IPV6": "y"}, available=("ip_vs",))
    assert host_probe_kernel.features(there)["ip_vs_ipv6"] == {"state": "built_in", "by": "CONFIG_IP_VS_IPV6=y"}
    assert host_probe_kernel.features(evidence(available=("ip_vs",)))["ip_vs_ipv6"]["state"] == "unknown"


def test_a_loaded_module_outweighs_everything_else() -> None:
    seen = evidence(config={}, loaded=("xt_masquerade", "veth"), built_in=("veth",), available=("veth",))
    found = host_probe_kernel.features(seen)
    assert found["veth"] == {"state": "loaded", "by": "/proc/modules"}
    assert found["xt_MASQUERADE"]["state"] == "absent", "names of modules have a case"


def test_a_configuration_holds_what_is_set_and_nothing_else() -> None:
    lines = ["# CONFIG_A is not set\n", "CONFIG_B=y\n", "CONFIG_C=m\n", "CONFIG_D=64\n", 'CONFIG_E="y"\n', "CONFIG_F\n"]
    assert host_probe_kernel.parse_config(lines) == {"CONFIG_B": "y", "CONFIG_C": "m"}


def test_evidence_is_read_from_the_first_configuration_and_the_module_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below another root, because this machine's own kernel is what it is."""
    files = {
        "boot/config-6.12.0": "CONFIG_VXLAN=m\n",
        "lib/modules/6.12.0/config": "CONFIG_VXLAN=y\n",
        "lib/modules/6.12.0/modules.dep": "kernel/net/ip-vs.ko.xz: kernel/lib/crc.ko.xz\nkernel/lib/crc.ko.xz:\n",
        "lib/modules/6.12.0/modules.builtin": "kernel/net/veth.ko\n",
        "proc/modules": "overlay 1 0 - Live 0x0\n",
        "proc/filesystems": "nodev\tproc\n\text4\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = host_probe_kernel._lines
    monkeypatch.setattr(host_probe_kernel, "_lines", lambda path: lines(f"{tmp_path}{path}"))
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/proc/net/ip_vs")
    seen = host_probe_kernel.evidence("6.12.0")
    assert seen.config == {"CONFIG_VXLAN": "m"}
    assert (set(seen.loaded), set(seen.built_in)) == ({"overlay"}, {"veth"})
    assert set(seen.available or ()) == {"ip_vs", "crc"}
    assert seen.paths == {"/proc/net/ip_vs", "proc", "ext4"}
    with gzip.open(tmp_path / "proc" / "config.gz", "wt", encoding="utf-8") as stream:
        stream.write("CONFIG_DUMMY=y\n")
    assert host_probe_kernel.evidence("6.12.0").config == {"CONFIG_DUMMY": "y"}, "the running kernel knows best"
    bare = host_probe_kernel.evidence("7.0.0")
    assert (bare.available, bare.built_in) == (None, frozenset())
