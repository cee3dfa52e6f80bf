"""bundle/manifest.yml, checked as a whole: every error is found at once, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.twinstack.core.plugins.module_utils.findings import Finding, summary

SCHEMA = 1
PROVIDERS = ("source", "upstream")
GROUPS = (
    *("control_plane", "worker", "controller", "lab"),
    *("mesh_control_plane", "mesh_worker", "mesh_controller", "observability"),
)
# What a provider may say about an artifact of a kind: the fields that must be there and those that may.
SHAPES: dict[str, dict[str, tuple[tuple[set[str], set[str]], ...]]] = {
    "binary": {
        "source": (({"module", "program"}, {"tags"}), ({"pypi", "version", "sha256", "member"}, set())),
        "upstream": (({"url", "sha256"}, {"member"}),),
    },
    "package_set": {"source": (({"packages"}, set()),), "upstream": (({"packages"}, set()),)},
    "layer": {"source": (({"packages"}, {"without"}),), "upstream": (({"packages"}, {"without"}),)},
    "image": {
        "source": (
            ({"module", "programs"}, {"base", "binaries", "deb", "folder", "links", "tags"}),
            ({"deb"}, {"base"}),
            ({"c_program"}, set()),
            ({"base"}, set()),
        ),
        "upstream": (({"image", "digest"}, set()), ({"base"}, set())),
    },
    "image_set": {"source": (({"images_of"}, set()),), "upstream": (({"images_of"}, set()),)},
    "manifest": {"source": (({"module", "file"}, set()),), "upstream": (({"url", "sha256"}, set()),)},
    "file": {
        "source": (({"newest_package"}, set()), ({"kernel_of", "folder"}, set()), ({"base_image"}, set())),
        "upstream": (({"kernel_of", "folder"}, set()), ({"base_image"}, set())),
    },
}
FIELDS = {"name", "version", "kind", "licence", "groups", "source"}
SHA256 = re.compile(r"[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ManifestError(Exception):
    """The manifest cannot be used; ``findings`` says everything that is wrong with it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """findings: at least one."""
        self.findings = sorted(findings)
        super().__init__(summary(self.findings, "The bundle's manifest cannot be used"))


class Version(str):
    """A version like ``1.37.2`` whose parts a template can name: ``{kubernetes.minor}``."""

    __slots__ = ()

    @property
    def major(self) -> str:
        """The first number."""
        return self.split(".")[0]

    @property
    def minor(self) -> str:
        """The second number."""
        return self.split(".")[1]


@dataclass(frozen=True)
class Artifact:
    """One entry of the manifest with versions filled in. ``provider``: the fields of the requested provider."""

    name: str
    version: str
    kind: str
    licence: str
    groups: tuple[str, ...]
    provider: dict[str, Any]
    image: str = ""


@dataclass(frozen=True)
class GoModule:
    """One wrapper module below bundle/go.

    ldflags: linker flags that stamp its programs, all but the unstamped. sha256: what each program comes out as.
    """

    name: str
    version: str
    ldflags: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    unstamped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """The whole list. folder: where manifest.yml lies, to which its paths are relative. suite: the Debian release."""

    folder: Path
    provider: str
    suite: str
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    go_modules: dict[str, GoModule] = field(default_factory=dict)

    def of_groups(self, groups: Iterable[str]) -> list[Artifact]:
        """Artifacts that hosts of these groups are given, images by the set that holds them."""
        wanted = set(groups)
        return [item for item in self.artifacts.values() if wanted & set(item.groups) and item.kind != "image"]

    def images_of(self, group: str) -> list[Artifact]:
        """All images that a host of this group needs."""
        return [item for item in self.artifacts.values() if item.kind == "image" and group in item.groups]


def load(path: Path, versions: Mapping[str, str], provider: str) -> Manifest:
    """The manifest for one provider. versions: ``twinstack_versions``. Raises ManifestError with all findings."""
    if provider not in PROVIDERS:
        raise ManifestError([Finding("inventory", "twinstack_provider", provider, " or ".join(PROVIDERS))])
    return _Reader(path, versions, provider).read(parts(path))


def parts(path: Path) -> dict[str, dict[str, Any]]:
    """What the manifest and each file that it includes hold, by file name. Raises ManifestError."""
    found = {path.name: _parsed(path)}
    for name in found[path.name].get("include", []):
        found[name] = _parsed(path.with_name(name))
    return found


def _parsed(path: Path) -> dict[str, Any]:
    """The content of one file of the manifest. Raises ManifestError when it is none."""
    hint = "the fields are explained in docs/bundle.md"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ManifestError([Finding(str(path), "file", reason, "readable YAML", hint)]) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise ManifestError([Finding(str(path), "schema", repr(found), str(SCHEMA), hint)])
    return data


class _Reader:
    """Collects findings while it turns YAML into a Manifest."""

    def __init__(self, path: Path, versions: Mapping[str, str], provider: str) -> None:
        self.path = path
        self.file = path.name  # the one that is being read, for findings
        self.versions = {name: Version(value) for name, value in versions.items()}
        self.provider = provider
        self.findings: list[Finding] = []

    def read(self, parts: Mapping[str, dict[str, Any]]) -> Manifest:
        """The manifest, or ManifestError. parts: what each of its files holds, by name."""
        suite = parts[self.path.name].get("suite")
        if not isinstance(suite, str):
            self._wrong("suite", repr(suite), "the name of a Debian release")
        manifest = Manifest(self.path.parent, self.provider, str(suite))
        files: dict[str, str] = {}
        for data in parts.values():
            for name, module in data.get("go_modules", {}).items():
                if module.get("optional"):
                    self.versions.setdefault(name, Version(module.get("version")))
        for file, data in parts.items():
            self.file = file
            for name, module in data.get("go_modules", {}).items():
                manifest.go_modules[name] = self._module(name, module)
            for number, entry in enumerate(data.get("artifacts", [])):
                name = entry.get("name", f"artifacts[{number}]")
                if name in manifest.artifacts:
                    self._wrong(f"{name}.name", name, "a name that no other artifact has")
                artifact = self._artifact(str(name), entry)
                if artifact:
                    manifest.artifacts[artifact.name] = artifact
                    files[artifact.name] = file
        for artifact in manifest.artifacts.values():
            self.file = files[artifact.name]
            self._references(artifact, manifest)
            self._pins(artifact, manifest)
        if self.findings:
            raise ManifestError(self.findings)
        return manifest

    def _wrong(self, field_name: str, found: object, expected: str, hint: str = "") -> None:
        shown = found if isinstance(found, str) else repr(found)
        self.findings.append(Finding(self.file, field_name, shown, expected, hint))

    def _filled(self, where: str, value: Any) -> Any:
        """The value with every {name} in its texts replaced by a version."""
        if isinstance(value, str):
            try:
                return value.format(**self.versions)
            except (KeyError, AttributeError, IndexError, ValueError) as error:
                self._wrong(where, value, f"braces only around {', '.join(sorted(self.versions))} ({error!r})")
                return value
        if isinstance(value, list):
            return [self._filled(where, item) for item in value]
        if isinstance(value, dict):
            return {key: self._filled(where, item) for key, item in value.items()}
        return value

    def _module(self, name: str, module: dict[str, Any]) -> GoModule:
        """A wrapper module, checked against its go.mod and against the requested version."""
        where = f"go_modules.{name}"
        pin = str(module.get("pin"))
        go_mod = self.path.parent / "go" / name / "go.mod"
        lines = go_mod.read_text(encoding="utf-8").splitlines() if go_mod.is_file() else []
        if not any(line.split("//")[0].strip().removeprefix("require ") == pin for line in lines):
            self._wrong(f"{where}.pin", pin, f"a requirement of go/{name}/go.mod")
        asked, offered = self.versions.get(name), str(module.get("version"))
        if self.provider == "source" and asked != offered:
            self.findings.append(
                Finding(
                    "inventory",
                    f"twinstack_versions.{name}",
                    str(asked),
                    f"{offered}, the version that provider source can build",
                    "set that version, or twinstack_provider: upstream",
                )
            )
        pins = {str(program): str(value or "") for program, value in (module.get("sha256") or {}).items()}
        for program, value in pins.items():
            if value and not SHA256.fullmatch(value):
                expected = f"{SHA256.pattern}, or null while it is not known yet"
                self._wrong(f"{where}.sha256.{program}", value, expected)
        ldflags = self._filled(f"{where}.ldflags", module.get("ldflags", ""))
        return GoModule(name, offered, ldflags, pins, tuple(module.get("unstamped", ())))

    def _artifact(self, name: str, entry: dict[str, Any]) -> Artifact | None:
        """One artifact, or None when too much of it is missing."""
        lacking = sorted(FIELDS - set(entry))
        if lacking:
            self._wrong(name, f"no {', '.join(lacking)}", f"all of {', '.join(sorted(FIELDS))}")
            return None
        unknown = sorted(set(entry) - FIELDS - {"upstream", "image"})
        if unknown:
            self._wrong(name, ", ".join(unknown), "only fields that exist")
        kind = entry["kind"]
        if kind not in SHAPES:
            self._wrong(f"{name}.kind", kind, "one of " + ", ".join(SHAPES))
            return None
        if (kind == "image") != ("image" in entry):
            self._wrong(f"{name}.image", entry.get("image"), "the full name of the image, for kind image and no other")
        for group in entry["groups"]:
            if group not in GROUPS:
                self._wrong(f"{name}.groups", group, "one of " + ", ".join(GROUPS))
        for provider in PROVIDERS:
            self._shape(name, kind, provider, entry.get(provider), needed=bool(entry["groups"]))
        filled = {key: self._filled(f"{name}.{key}", entry.get(key, "")) for key in ("version", "image")}
        return Artifact(
            name=name,
            version=filled["version"],
            kind=kind,
            licence=entry["licence"],
            groups=tuple(entry["groups"]),
            provider=self._filled(f"{name}.{self.provider}", entry.get(self.provider) or {}),
            image=filled["image"],
        )

    def _shape(self, name: str, kind: str, provider: str, fields: Any, needed: bool) -> None:
        """Check which fields a provider gives, and the values of those with a fixed form."""
        where = f"{name}.{provider}"
        if fields is None:
            if needed or provider == "source":
                self._wrong(where, "nothing", "where this provider gets the artifact")
            return
        given = set(fields)
        shapes = SHAPES[kind][provider]
        if not any(required <= given <= required | optional for required, optional in shapes):
            spelled = " or ".join("{" + ", ".join(sorted(required)) + "}" for required, _optional in shapes)
            self._wrong(where, "{" + ", ".join(sorted(given)) + "}", spelled or "nothing")
            return
        if "url" in fields and not str(fields["url"]).startswith(("https://", "http://")):
            self._wrong(f"{where}.url", fields["url"], "an http or https URL")
        for key, form in (("sha256", SHA256), ("digest", DIGEST)):
            value = fields.get(key)
            if value is None and "pypi" in fields and key == "sha256":
                self._wrong(f"{where}.{key}", value, f"{form.pattern}: a build from source fetches nothing unpinned")
            if value is not None and not form.fullmatch(str(value)):
                self._wrong(f"{where}.{key}", value, f"{form.pattern}, or null while it is not pinned yet")

    def _pins(self, artifact: Artifact, manifest: Manifest) -> None:
        """Check that every program that is built here has the hash that it must come out with."""
        fields = artifact.provider
        module = manifest.go_modules.get(fields.get("module", ""))
        programs = fields.get("programs", {}) or ({artifact.name: ""} if "program" in fields else {})
        for program in programs:
            if module and program not in module.sha256:
                expected = "its sha256, or null to see what comes out: the same sources give the same bytes everywhere"
                self._wrong(f"go_modules.{module.name}.sha256.{program}", "nothing", expected)

    def _references(self, artifact: Artifact, manifest: Manifest) -> None:
        """Check that what an artifact refers to is there."""
        fields = artifact.provider
        where = f"{artifact.name}.{self.provider}"
        if "module" in fields and fields["module"] not in manifest.go_modules:
            self._wrong(f"{where}.module", fields["module"], "one of " + ", ".join(manifest.go_modules))
        for key, kind in (("base", "layer"), ("kernel_of", "file")):
            other = manifest.artifacts.get(fields.get(key, ""))
            if key in fields and (other is None or other.kind != kind):
                self._wrong(f"{where}.{key}", fields[key], f"the name of an artifact of kind {kind}")
        for name in fields.get("binaries", ()):
            if name not in manifest.artifacts or manifest.artifacts[name].kind != "binary":
                self._wrong(f"{where}.binaries", name, "the name of an artifact of kind binary")
        if "images_of" in fields and not manifest.images_of(fields["images_of"]):
            self._wrong(f"{where}.images_of", fields["images_of"], "a group that some image names")


def unpinned(artifacts: Iterable[Artifact]) -> list[Finding]:
    """A finding for every download whose sha256 or digest nobody has pinned yet: such a one is never fetched."""
    return [
        Finding(
            "manifest.yml",
            f"{artifact.name}.upstream.{key}",
            "null (not pinned yet)",
            f"the {key} that the publisher states for {artifact.provider.get('url') or artifact.provider.get('image')}",
            "look it up at the publisher, write it into the manifest",
        )
        for artifact in artifacts
        for key in ("sha256", "digest")
        if key in artifact.provider and artifact.provider[key] is None
    ]
