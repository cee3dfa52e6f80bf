"""What another version of a component changes in go.mod and the manifest: edits of text that keep the rest as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding

MOST_FILES = 4
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")
# Kubernetes publishes the libraries of its own repository as modules of the same release, v0 instead of v1.
_KUBERNETES = "k8s.io/kubernetes"
_LIBRARIES = "k8s.io/"
_REQUIREMENT = re.compile(r"^(?P<head>\s*(?:require\s+)?(?P<path>[^\s()]+)\s+)(?P<version>v\S+)(?P<tail>\s*(?://.*)?)$")
_REPLACEMENT = re.compile(r"^(?P<head>\s*(?:replace\s+)?(?P<path>[^\s()]+)(?:\s+v\S+)?\s+=>\s+)(?P<target>\S.*?)\s*$")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PSEUDO = re.compile(r"[-.]\d{14}-([0-9a-f]{12})$")


class BumpError(Exception):
    """A bump is refused, and no file of the tree has changed."""

    def __init__(self, field: str, found: str, expected: str, hint: str) -> None:
        """The parts of a Finding."""
        super().__init__(Finding("bump", field, found, expected, hint).line())


@dataclass(frozen=True)
class Request:
    """The requested version. revision: a tag or commit of the module's repository; empty for the version's own tag."""

    component: str
    version: str
    revision: str = ""


@dataclass(frozen=True)
class Component:
    """What the manifest says of a component. file: the part that holds it. path, pin: the Go module and its version."""

    name: str
    file: str
    version: str
    path: str
    pin: str


@dataclass(frozen=True)
class Release:
    """A version of a Go module as Go resolved it. requirements: the text of the module's own go.mod."""

    pin: str
    time: str
    requirements: str

    @property
    def revision(self) -> str:
        """Twelve digits of the commit where the version is one of a commit, else empty."""
        return _commit(self.pin)


def components(parts: Mapping[str, dict[str, Any]]) -> dict[str, Component]:
    """All components. parts: what each file of the manifest holds, by name."""
    found = {}
    for file, part in parts.items():
        for name, module in part.get("go_modules", {}).items():
            path, _, pin = str(module.get("pin")).partition(" ")
            found[name] = Component(name, file, str(module.get("version")), path, pin)
    return found


def checked(request: Request, known: Mapping[str, Component]) -> Component:
    """The component that a request names. Raises BumpError for a request that cannot be met."""
    if request.component not in known:
        sample = next(iter(known.values()))
        hint = f"make bump COMPONENT={sample.name} VERSION={sample.version}"
        raise BumpError("component", request.component or "nothing", "one of " + ", ".join(known), hint)
    component = known[request.component]
    command = f"make bump COMPONENT={component.name} VERSION="
    if not _VERSION.fullmatch(request.version):
        expected = f"three numbers like {component.version}"
        raise BumpError("version", request.version or "nothing", expected, command + component.version)
    command += request.version
    if request.revision and not _REVISION.fullmatch(request.revision):
        raise BumpError("revision", request.revision, "a tag or a commit", f"{command} REVISION=<commit>")
    if request.version != component.version and not request.revision and component.pin != f"v{component.version}":
        expected = f"the commit of release {request.version}: tags of {component.path} are no versions of its module"
        raise BumpError("revision", "nothing", expected, f"{command} REVISION=<commit>")
    return component


def wants_resolving(request: Request, component: Component) -> bool:
    """Whether another version than the present one is requested, as far as that is known without running Go."""
    commit = _commit(component.pin)
    same = request.revision in ("", component.pin) or bool(commit and request.revision.startswith(commit))
    return request.version != component.version or not same


def _commit(pin: str) -> str:
    """The commit in a version that stands for one."""
    match = _PSEUDO.search(pin)
    return match[1] if match else ""


def go_mod(text: str, component: Component, version: str, release: Release) -> str:
    """The wrapper's go.mod with the release required, modules of the same release along with it.

    A replacement that the release's own go.mod has too follows it: whoever requires a module does not get these.
    """
    family = "/".join(component.path.split("/")[:2]) + "/"
    replacements = {
        match["path"]: match["target"]
        for match in map(_REPLACEMENT.match, release.requirements.splitlines())
        if match and not match["target"].startswith(".")
    }

    def line(old: str) -> str:
        if match := _REPLACEMENT.match(old):
            return match["head"] + replacements.get(match["path"], match["target"])
        match = _REQUIREMENT.match(old)
        if not match:
            return old
        path, present = match["path"], match["version"]
        if present == component.pin and (path == component.path or path.startswith(family)):
            return f"{match['head']}{release.pin}{match['tail']}"
        if component.path == _KUBERNETES and path.startswith(_LIBRARIES) and present == _library(component.version):
            return f"{match['head']}{_library(version)}{match['tail']}"
        return old

    return "".join(line(old.rstrip("\n")) + "\n" for old in text.splitlines(keepends=True))


def _library(version: str) -> str:
    """The version of Kubernetes' libraries: ``1.37.2`` is published as ``v0.37.2``."""
    return "v0." + version.partition(".")[2]


def manifest(text: str, component: Component, version: str, release: Release) -> str:
    """The manifest with version, pin and stamps of a release, and with nothing pinned that came out of the old one."""
    module = _module(text, component.name)
    stamp = _child(module, "ldflags")
    edits = [
        (*_span(_child(module, "version")), version),
        (*_span(_child(module, "pin")), f"{component.path} {release.pin}"),
        *((start, end, "null") for start, end in _upstream_pins(text, component.name)),
        *((*_span(value), "null") for _program, value in _pins(module)),
    ]
    if stamp is not None:
        start, end = _span(stamp)
        edits.append((start, end, _stamped(text[start:end], _commit(component.pin), release)))
    return _edited(text, edits)


def _stamped(ldflags: str, old: str, release: Release) -> str:
    """Linker flags with the time, and where the module's version is a commit the commit, of a release."""
    timed = _TIME.sub(release.time, ldflags) if release.time else ldflags
    return timed.replace(old, release.revision) if old and release.revision else timed


def pins(text: str, name: str) -> dict[str, str]:
    """The sha256 of each program of a component, empty where it is null."""
    return {
        program: "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)
        for program, node in _pins(_module(text, name))
    }


def pinned(text: str, name: str, hashes: Mapping[str, str]) -> str:
    """The manifest with these hashes of a component's programs."""
    found = {program: _span(node) for program, node in _pins(_module(text, name))}
    return _edited(text, [(*found[program], sha256) for program, sha256 in hashes.items()])


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with spans replaced, from the end to the start."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _module(text: str, name: str) -> yaml.MappingNode:
    """The node of a wrapper module in a file of the manifest."""
    modules = _child(yaml.compose(text, Loader=yaml.SafeLoader), "go_modules")
    module = _child(modules, name)
    if not isinstance(module, yaml.MappingNode):
        raise ValueError(f"go_modules.{name}: no mapping")
    return module


def _pins(module: yaml.MappingNode) -> list[tuple[str, yaml.Node]]:
    """Program and node of its hash."""
    node = _child(module, "sha256")
    return [(key.value, value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _upstream_pins(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Where hashes of official downloads of a component's version stand; the next version has others."""
    artifacts = _child(yaml.compose(text, Loader=yaml.SafeLoader), "artifacts")
    seen = set()
    for artifact in artifacts.value if artifacts else ():
        version, upstream = _child(artifact, "version"), _child(artifact, "upstream")
        if version is None or upstream is None or not re.search(rf"\{{{re.escape(name)}[.}}]", str(version.value)):
            continue
        for node in (_child(upstream, "sha256"), _child(upstream, "digest")):
            if node is not None and node.tag != "tag:yaml.org,2002:null" and _span(node) not in seen:
                seen.add(_span(node))
                yield _span(node)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key of a mapping; None where there is none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _span(node: yaml.Node | None) -> tuple[int, int]:
    """Where a value stands in the text."""
    if node is None or node.start_mark is None or node.end_mark is None:
        raise ValueError("the manifest lacks version, pin or sha256 of a wrapper module")
    return node.start_mark.index, node.end_mark.index
