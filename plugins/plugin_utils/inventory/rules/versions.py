"""Versions of the components: their form, which go together, and what kube-proxy's mode needs of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown

TABLE = Path(__file__).with_name("supported_versions.yml")
LAB = "twinstack lab"
TESTERS = (LAB, "upstream")
FIELD = "twinstack_versions"
_FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
# What begins with a version, such as 1.31.0-distroless.
_TAG = re.compile(r"\d+\.\d+\.\d+")
_RANGE = re.compile(r"\d+\.\d+(\.\d+)?")
# Kubernetes' feature gate KubeProxyIPVS: deprecated and on from 1.37, off from 1.40, where kube-proxy does not start.
IPVS_DEPRECATED = (1, 37)
IPVS_REFUSED = (1, 40)


@dataclass(frozen=True)
class Pair:
    """A component's version that is tested with a version of Kubernetes.

    version and kubernetes: ``1.37.2`` for exactly this one or ``1.37`` for its patch releases. tested_by: one of
    TESTERS. source: where that can be read.
    """

    component: str
    version: str
    kubernetes: str
    tested_by: str
    source: str

    def fits(self, version: str, kubernetes: str) -> bool:
        """Whether the pair speaks of these two versions."""
        return within(version, self.version) and within(kubernetes, self.kubernetes)

    def text(self) -> str:
        """The pair as an error shows it."""
        return f"{_whole(self.version)} with Kubernetes {_whole(self.kubernetes)} ({self.tested_by})"


def within(version: str, spec: str) -> bool:
    """Whether a version is the one, or one of the patch releases, that a table's entry names."""
    return version == spec or (spec.count(".") == 1 and version.startswith(f"{spec}."))


def _whole(spec: str) -> str:
    """``1.37`` as ``1.37.x``."""
    return spec if spec.count(".") == 2 else f"{spec}.x"


def lab_pairs(components: Mapping[str, str]) -> tuple[Pair, ...]:
    """What the bundle builds, each with its Kubernetes: ``make acceptance`` installs all of it together.

    components: the bundle's versions by component; two numbers stand for every patch release.
    """
    kubernetes = components["kubernetes"]
    return tuple(
        Pair(name, version, kubernetes, LAB, "bundle/manifest.yml, which `make acceptance` installs")
        for name, version in components.items()
        if name != "kubernetes"
    )


def tested(cluster: Mapping[str, str], istio: str) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """All tested pairs of a cluster's components, and those of the mesh, for a bundle that builds these versions.

    A site's own build of Istio may be any patch release of the bundle's.
    """
    mesh = {"kubernetes": cluster["kubernetes"], "istio": istio.rpartition(".")[0]}
    return (*lab_pairs(cluster), *load_pairs()), lab_pairs(mesh)


def load_pairs(path: Path = TABLE) -> tuple[Pair, ...]:
    """The table of pairs that others have tested. Raises ValueError for an entry that is not one."""
    pairs = tuple(Pair(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["pairs"])
    for pair in pairs:
        if not (_RANGE.fullmatch(pair.version) and _RANGE.fullmatch(pair.kubernetes) and pair.source):
            raise ValueError(f"{path.name}: found {pair}; expected versions of two or three numbers, and a source")
        if pair.tested_by not in TESTERS:
            raise ValueError(f"{path.name}: found tested_by {pair.tested_by!r}; expected {' or '.join(TESTERS)}")
    return pairs


def parse(text: str) -> tuple[int, int, int]:
    """``1.37.2`` as three numbers. Raises ValueError for any other form."""
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"found {text!r}; expected three numbers like 1.37.2")
    return int(match[1]), int(match[2]), int(match[3])


def check_versions(versions: Mapping[str, Any], pairs: Iterable[Pair], where: str) -> list[Finding]:
    """What is wrong with the mapping of all components to their versions: keys, form, untested pairs."""
    table = tuple(pairs)
    needed = ["kubernetes", *dict.fromkeys(pair.component for pair in table)]
    findings = []
    good: dict[str, str] = {}
    for name in needed:
        value = versions.get(name)
        if value is None:
            expected = f"a version of each: {', '.join(needed)}"
            findings.append(Finding(where, f"{FIELD}.{name}", "nothing", expected))
        elif not isinstance(value, str) or not _FORM.fullmatch(value):
            expected = "three numbers as text, like 1.37.2"
            findings.append(Finding(where, f"{FIELD}.{name}", shown(value), expected))
        else:
            good[name] = value
    findings += [
        Finding(where, f"{FIELD}.{name}", "a component that is not installed", f"only {', '.join(needed)}")
        for name in versions
        if name not in needed
    ]
    if "kubernetes" not in good:
        return findings
    kubernetes = good.pop("kubernetes")
    if not any(within(kubernetes, pair.kubernetes) for pair in table):
        expected = _either(f"{_whole(pair.kubernetes)} ({pair.tested_by})" for pair in table)
        return [*findings, Finding(where, f"{FIELD}.kubernetes", kubernetes, expected)]
    for name, version in good.items():
        if not any(pair.component == name and pair.fits(version, kubernetes) for pair in table):
            expected = _either(pair.text() for pair in table if pair.component == name)
            found = f"{version} with Kubernetes {kubernetes}, which nobody has tested"
            findings.append(Finding(where, f"{FIELD}.{name}", found, expected))
    return findings


def check_istio(tag: str, kubernetes: str, pairs: Iterable[Pair], where: str, field: str) -> list[Finding]:
    """Whether this build's version is tested with this Kubernetes; a warning when its tag names none."""
    table = [pair for pair in pairs if pair.component == "istio"]
    expected = _either(pair.text() for pair in table)
    named = _TAG.match(tag)
    if not named:
        found = f"{tag}, which names no version, with Kubernetes {kubernetes}"
        return [Finding(where, field, found, expected, level="warning")]
    if any(pair.fits(named[0], kubernetes) for pair in table):
        return []
    return [Finding(where, field, f"{tag} with Kubernetes {kubernetes}, which nobody has tested", expected)]


def check_proxy_mode(mode: str, kubernetes: str, where: str) -> list[Finding]:
    """What Kubernetes thinks of IPVS: a warning while it is deprecated, an error where kube-proxy does not start."""
    minor = parse(kubernetes)[:2]
    if mode != "ipvs" or minor < IPVS_DEPRECATED:
        return []
    field, found = "twinstack_proxy_mode", f"ipvs with Kubernetes {kubernetes}"
    if minor >= IPVS_REFUSED:
        return [Finding(where, field, found, "nftables: from 1.40 on kube-proxy does not start with ipvs")]
    expected, hint = (
        "nftables by Kubernetes 1.40, which refuses ipvs",
        "twinstack_proxy_mode: nftables for a new cluster",
    )
    return [Finding(where, field, found, expected, hint, level="warning")]


def _either(texts: Iterable[str]) -> str:
    """Alternatives, each once."""
    return " or ".join(dict.fromkeys(texts))
