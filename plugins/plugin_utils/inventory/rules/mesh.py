"""What an inventory may say about the mesh. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.contract import ISTIO_SYSTEM
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, Where
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory.addresses import shown

REVISIONS = "istio_revisions"
BUILD = "istio_build"
FIELDS = ("name", "default", "build", "settings")
BUILD_FIELDS = ("hub", "tag", "istioctl")  # plain_envoy beside them is optional
WATCHED = "observability_prometheus_watched_services"
CONTROL_PLANE = re.compile(rf"istiod-[^.]+\.{ISTIO_SYSTEM}")
# It becomes part of names such as istio-sidecar-injector-NAME and of a label's value.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


def check_mesh(settings: Mapping[str, Any], where: Where) -> Iterator[Finding]:
    """Revisions and builds. settings: of the right types; where: the file that sets a variable."""
    if BUILD in settings:
        yield from _build(where(BUILD), BUILD, settings[BUILD])
    if REVISIONS not in settings:
        return
    place, revisions = where(REVISIONS), settings[REVISIONS]
    for number, item in enumerate(revisions):
        if not isinstance(item, Mapping):
            yield Finding(place, f"{REVISIONS}[{number}]", shown(item), "a mapping with name")
            return
        yield from _revision(place, f"{REVISIONS}[{number}]", item)
    names = [item["name"] for item in revisions if isinstance(item.get("name"), str)]
    for name, times in Counter(names).items():
        if times > 1:
            yield Finding(place, REVISIONS, f"{name} {times} times", "every name once")
    defaults = [str(item.get("name")) for item in revisions if item.get("default") is True]
    if revisions and len(defaults) != 1:
        found = f"default: true for {', '.join(defaults)}" if defaults else "no default: true"
        yield Finding(place, REVISIONS, found, "exactly one default revision")
    asked = settings.get("observability_kiali_istiod")
    if asked is not None and names and asked not in [f"istiod-{name}" for name in names]:
        expected = " or ".join(f"istiod-{name}" for name in names)
        yield Finding(where("observability_kiali_istiod"), "observability_kiali_istiod", str(asked), expected)
    watched = settings.get(WATCHED)
    known = [f"istiod-{name}.{ISTIO_SYSTEM}" for name in names]
    for service in watched if isinstance(watched, Mapping) and names else ():
        if CONTROL_PLANE.fullmatch(str(service)) and service not in known:
            yield Finding(where(WATCHED), f"{WATCHED}.{service}", "no revision of that name", " or ".join(known))


def tags(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Tags of a site's own builds: (variable, field in it, tag)."""
    given = [(BUILD, BUILD, settings.get(BUILD))]
    for number, item in enumerate(settings.get(REVISIONS, [])):
        given.append(
            (REVISIONS, f"{REVISIONS}[{number}].build", item.get("build") if isinstance(item, Mapping) else None)
        )
    for name, field, build in given:
        if isinstance(build, Mapping) and isinstance(build.get("tag"), str):
            yield name, f"{field}.tag", build["tag"]


def _revision(place: str, field: str, item: Mapping[str, Any]) -> Iterator[Finding]:
    """One revision."""
    unknown = sorted(set(item) - set(FIELDS))
    if unknown:
        yield Finding(place, field, ", ".join(unknown), f"only {', '.join(FIELDS)}")
    name = item.get("name")
    if not isinstance(name, str) or not LABEL.fullmatch(name):
        expected = "at most 40 lower-case letters, digits and hyphens"
        yield Finding(place, f"{field}.name", "nothing" if name is None else str(name), expected)
    if not isinstance(item.get("default", False), bool):
        yield Finding(place, f"{field}.default", str(item["default"]), "true or false")
    if "build" in item:
        yield from _build(place, f"{field}.build", item["build"])
    if not isinstance(item.get("settings", {}), Mapping):
        yield Finding(place, f"{field}.settings", shown(item["settings"]), "a mapping of values of Istio's charts")


def _build(place: str, field: str, build: Any) -> Iterator[Finding]:
    """A site's own build: nothing, or all that is needed of it."""
    if not isinstance(build, Mapping):
        yield Finding(place, field, shown(build), f"a mapping with {', '.join(BUILD_FIELDS)}")
        return
    lacking = [name for name in BUILD_FIELDS if not build.get(name)]
    if build and lacking:
        yield Finding(place, field, f"no {', '.join(lacking)}", f"all of {', '.join(BUILD_FIELDS)}")
    unknown = sorted(set(build) - {*BUILD_FIELDS, "plain_envoy"})
    if unknown:
        yield Finding(place, field, ", ".join(unknown), f"only {', '.join((*BUILD_FIELDS, 'plain_envoy'))}")
