"""Debian packages, fetched on the controller by a private apt that leaves the machine's own untouched.

apt itself verifies the archive's signature and every package's hash; nothing here downloads past it.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.store import sha256_of

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_FOLDER = Path("/etc/apt")
# Any of them means a mirror of the whole archive, which has the wanted suite too.
DEBIAN_SUITES = ("bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
OFF = ("no", "false", "without", "off", "disable")  # sources.list(5)
INSTALLED = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)


class MirrorError(Exception):
    """No Debian mirror is known; the message says which variable to set."""


def own_mirror(folder: Path = APT_FOLDER) -> str:
    """The first archive that the machine's own apt takes a Debian release from, in either format of its sources."""
    parts = [*folder.glob("sources.list.d/*.sources"), *folder.glob("sources.list.d/*.list")]
    for path in (*sorted(parts), folder / "sources.list"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for uri, suites, components in _stanzas(text) if path.suffix == ".sources" else _lines(text):
            if "main" in components and any(suite in DEBIAN_SUITES for suite in suites):
                return uri.rstrip("/")
    raise MirrorError(
        f"{folder}: found no archive with main of a Debian release ({', '.join(DEBIAN_SUITES)}). "
        "Try: set bundle_debian_mirror to a Debian mirror"
    )


def _stanzas(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """First URI, suites and components of each enabled stanza of deb822 sources."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)}
        uris = fields.get("uris", "").split()
        if uris and "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in OFF:
            yield uris[0], fields.get("suites", "").split(), fields.get("components", "").split()


def _lines(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """URI, suite and components of each line of one-line sources."""
    for uri, suite, components in re.findall(
        r"^deb(?:[ \t]+\[[^]]*\])?[ \t]+(\S+)[ \t]+(\S+)(.*)$", text, re.MULTILINE
    ):
        yield uri, [suite], components.split()


@dataclass(frozen=True)
class Package:
    """One package at one version."""

    name: str
    version: str


class PrivateApt:
    """apt with its own sources, lists and an empty list of installed packages, below one folder."""

    def __init__(self, folder: Path, suite: str, mirror: str = "") -> None:
        """folder: made when it is missing. suite: a release's name.

        mirror: a Debian archive's URI; "" for the one of the machine's own apt.
        """
        self.folder = folder
        self.suite = suite
        self._mirror = mirror
        self._fresh = False

    @property
    def mirror(self) -> str:
        """The archive's URI."""
        return self._mirror or own_mirror()

    @property
    def sources(self) -> list[str]:
        """Lines of sources.list: the suite, its updates and its backports."""
        suites = (self.suite, f"{self.suite}-updates", f"{self.suite}-backports")
        return [f"deb [signed-by={KEYRING}] {self.mirror} {suite} main" for suite in suites]

    @property
    def configuration(self) -> Path:
        """The file that makes any apt command private when it is given with ``-c``: read after the machine's own."""
        return self.folder / "apt.conf"

    def refresh(self) -> None:
        """Write the configuration and fetch the signed package lists, once in the life of this object."""
        if self._fresh:
            return
        if not KEYRING.is_file():
            raise MirrorError(f"{KEYRING}: no such file. Try: apt-get install debian-archive-keyring")
        for part in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "state/status").touch()
        (self.folder / "etc/sources.list").write_text("\n".join(self.sources) + "\n", encoding="utf-8")
        self.configuration.write_text(
            f'Dir::State "{self.folder}/state";\n'
            f'Dir::State::status "{self.folder}/state/status";\n'
            f'Dir::Cache "{self.folder}/cache";\n'
            f'Dir::Etc::sourcelist "{self.folder}/etc/sources.list";\n'
            'Dir::Etc::sourceparts "-";\n'
            'Dir::Etc::preferencesparts "-";\n'
            'APT::Architecture "amd64";\n'
            "#clear APT::Architectures;\n"
            'APT::Architectures { "amd64"; };\n'
            'APT::Install-Recommends "false";\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\n'
            'Acquire::Retries "3";\n'
            "#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n"
            "#clear DPkg::Post-Invoke;\n",
            encoding="utf-8",
        )
        self._apt("apt-get", "--quiet", "--error-on=any", "update")
        self._fresh = True

    def closure(self, names: Iterable[str]) -> list[Package]:
        """The packages that a machine with none at all would need for these, by name."""
        self.refresh()
        output = self._apt("apt-get", "--simulate", "install", *names)
        return sorted((Package(*found) for found in INSTALLED.findall(output)), key=lambda item: item.name)

    def missing_on_server(self, names: Sequence[str]) -> list[Package]:
        """What a fresh server lacks of these packages and their dependencies."""
        present = {package.name for package in self.closure(BASELINE_PACKAGES)}
        both = self.closure([*BASELINE_PACKAGES, *names])
        return [package for package in both if package.name not in present]

    def newest(self, prefix: str) -> str:
        """The package ``<prefix>-<number>.<number>`` with the highest number that the archive offers."""
        self.refresh()
        names = self._apt("apt-cache", "pkgnames", f"{prefix}-").split()
        numbered = [name for name in names if re.fullmatch(re.escape(prefix) + r"-\d+\.\d+", name)]
        if not numbered:
            raise MirrorError(f"{self.mirror}: found no package {prefix}-N.M. Try: another bundle_debian_mirror")
        return max(numbered, key=lambda name: [int(number) for number in name.rsplit("-", 1)[1].split(".")])

    def candidate(self, name: str) -> Package:
        """The version of a package that would be installed."""
        self.refresh()
        output = self._apt("apt-cache", "show", "--no-all-versions", name)
        found = re.search(r"^Version: (\S+)$", output, re.MULTILINE)
        if not found:
            raise MirrorError(f"{self.mirror}: found no package {name}. Try: another bundle_debian_mirror")
        return Package(name, found.group(1))

    def download(self, packages: Iterable[Package], folder: Path) -> dict[str, Path]:
        """Fetch packages into a folder, hashes verified by apt; the files by package name."""
        self.refresh()
        folder.mkdir(parents=True, exist_ok=True)
        self._apt("apt-get", "--quiet", "download", *(f"{item.name}={item.version}" for item in packages), cwd=folder)
        return {path.name.split("_", 1)[0]: path for path in sorted(folder.glob("*.deb"))}

    def _apt(self, *argv: str, cwd: Path | None = None) -> str:
        """Standard output of an apt command under the private configuration."""
        command, *rest = argv
        try:
            return progress.run([command, "-c", self.configuration, *rest], cwd, {**os.environ, "LC_ALL": "C"})
        except progress.CommandError as error:
            sources = f"{self.mirror}, suite {self.suite}"
            raise MirrorError(f"{error}\nThe archive was {sources}. Try: set bundle_debian_mirror") from error


def write_tar(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """A tar of files under the given names whose bytes depend on names and contents alone."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, source in files:
            info = tarfile.TarInfo(name)
            info.size = source.stat().st_size
            info.mode = 0o644
            with source.open("rb") as content:
                archive.addfile(info, content)


def package_set(name: str, packages: Sequence[str], apt: PrivateApt) -> Step:
    """A step that makes one tar of the packages that a fresh server lacks."""

    def run(build: BuildContext) -> BuildResult:
        missing = apt.missing_on_server(packages)
        files = apt.download(missing, build.folder / "debs")
        archive = build.folder / f"{name}.tar"
        write_tar(archive, ((files[package.name].name, files[package.name]) for package in missing))
        listed = [
            {
                "package": package.name,
                "version": package.version,
                "file": files[package.name].name,
                "sha256": sha256_of(files[package.name]),
            }
            for package in missing
        ]
        return BuildResult(archive, {"packages": listed})

    inputs = {
        "recipe": "package set 1",
        "packages": sorted(packages),
        "baseline": BASELINE_PACKAGES,
        "suite": apt.suite,
    }
    return Step(name, inputs, run)


def one_package(package: str, apt: PrivateApt) -> Step:
    """A step that fetches one package without what it depends on."""

    def run(build: BuildContext) -> BuildResult:
        chosen = apt.candidate(package)
        path = apt.download([chosen], build.folder / "deb")[package]
        return BuildResult(path, {"version": chosen.version})

    return Step(f"package {package}", {"recipe": "package 1", "package": package, "suite": apt.suite}, run)


def newest_package(name: str, prefix: str, apt: PrivateApt) -> Step:
    """A step that fetches the highest-numbered package of a family, like linux-source-7.3."""

    def run(build: BuildContext) -> BuildResult:
        chosen = apt.candidate(apt.newest(prefix))
        path = apt.download([chosen], build.folder / "deb")[chosen.name]
        return BuildResult(path, {"package": chosen.name, "version": chosen.version})

    return Step(name, {"recipe": "newest package 1", "prefix": prefix, "suite": apt.suite}, run)


def unpack(package: Path, folder: Path) -> None:
    """Unpack a package's files without running anything of it."""
    folder.mkdir(parents=True, exist_ok=True)
    progress.run(["dpkg-deb", "--extract", package, folder])


def remove(root: Path, patterns: Iterable[str]) -> None:
    """Remove whatever below a folder matches one of the glob patterns."""
    for pattern in patterns:
        for path in list(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
