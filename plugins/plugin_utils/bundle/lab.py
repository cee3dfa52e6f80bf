"""The lab's kernel and disk image as steps; how they are made is in lab_kernel.py and lab_image.py."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import debian, lab_image, lab_kernel
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.images import contents
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.server_packages import BASELINE_PACKAGES
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle.steps import BuildContext, BuildResult, Step


def kernel(name: str, source: str, folder: Path) -> Step:
    """A step that builds the user-mode kernel.

    source: the step that fetches its source package; folder: bundle/lab/kernel.
    """

    def run(build: BuildContext) -> BuildResult:
        path = lab_kernel.build_kernel(build.folder, build.needs[source], folder, build.say)
        return BuildResult(path, {"version": build.extras[source]["version"]})

    return Step(name, {"recipe": "lab kernel 2", "folder": contents(folder)}, run, (source,))


def base_image(name: str, overlay: Path, apt: debian.PrivateApt) -> Step:
    """A step that makes the disk image all lab hosts start from. overlay: bundle/lab/overlay."""

    def run(build: BuildContext) -> BuildResult:
        path = lab_image.build_base_image(build.folder, apt.suite, apt.sources, BASELINE_PACKAGES, overlay, build.say)
        return BuildResult(path)

    inputs = {
        "recipe": "lab base image 1",
        "packages": BASELINE_PACKAGES,
        "suite": apt.suite,
        "overlay": contents(overlay),
    }
    return Step(name, inputs, run)
