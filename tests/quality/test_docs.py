"""What the documents say is what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, run
from tests.quality.project import files, text
from tests.tools import probe_groups, variables

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
PAGES = [path for path in files() if path.suffix == ".md"]


def recipes() -> Iterator[tuple[str, str]]:
    """Targets of the Makefile with each of their commands."""
    target = ""
    for line in (ROOT / "Makefile").read_text().splitlines():
        if match := re.match(r"([a-z-]+):", line):
            target = match[1]
        elif line.startswith("\t"):
            yield target, line.strip()


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page's headings have, and those that antsibull-changelog writes by itself."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    written = re.findall(r"^<a id=\"([^\"]+)\"></a>$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(written)


def test_variables_page_is_what_the_roles_say() -> None:
    """The page is generated."""
    written = (ROOT / "docs" / "variables.md").read_text(encoding="utf-8")
    assert written == variables.page(), f"run: {variables.COMMAND}"


def test_tables_of_probe_groups_are_what_the_groups_say() -> None:
    """The tables are generated, the rest of the page is not."""
    written = probe_groups.PAGE.read_text(encoding="utf-8")
    assert written == probe_groups.with_tables(written), f"run: {probe_groups.COMMAND}"
    assert probe_groups.COMMAND in written and probe_groups.COMMAND in str(probe_groups.__doc__)


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    """Else a part of the groups would be missing, and the page be right."""
    written = probe_groups.PAGE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="mesh: found no place"):
        probe_groups.with_tables(written.replace("<!-- probe groups: mesh: end -->", ""))


@pytest.mark.parametrize(("target", "command"), list(recipes()))
def test_readme_shows_the_commands_of_the_makefile(target: str, command: str) -> None:
    """A person can do by hand what make does."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"make {target}" in readme
    assert command in readme


def test_make_targets_are_one_or_two_commands() -> None:
    """The Makefile holds no logic."""
    targets = [target for target, _ in recipes()]
    assert not [target for target in targets if targets.count(target) > 2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_resolve(page: Path) -> None:
    """Every relative link leads to a file, and to a heading where it names one."""
    broken = []
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_collection_documentation_is_well_formed() -> None:
    """antsibull-docs reads every plugin's and role's documentation."""
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", ".").succeeded()


def test_changelog_fragments_are_well_formed() -> None:
    """Known sections, and texts that become a changelog."""
    assert list((ROOT / "changelogs" / "fragments").glob("*.yml")) or (ROOT / "changelogs" / "changelog.yaml").is_file()
    run("antsibull-changelog", "lint").succeeded()


def test_the_collection_can_be_built(tmp_path: Path) -> None:
    """galaxy.yml is complete, and nothing of an environment gets into the archive."""
    run("ansible-galaxy", "collection", "build", "--output-path", tmp_path).succeeded()
    archive = next(tmp_path.glob("twinstack-core-*.tar.gz"))
    listed = run("tar", "-tzf", archive).succeeded().output.split()
    assert "plugins/module_utils/findings.py" in listed
    assert not [name for name in listed if name.startswith(("inventory", "collections", "."))]


def test_tests_that_are_chosen_by_name_exist() -> None:
    """A name that no test bears any more would quietly choose none."""
    names = " ".join(re.findall(r"def (test_\w+)", "\n".join(text(path) for path in (ROOT / "tests/lab").glob("*.py"))))
    places = [*(ROOT / "tests" / "molecule").rglob("*.yml"), ROOT / "docs" / "acceptance.md"]
    chosen = re.findall(r"-k[= ](?:\"([\w ]+)\"|([\w ]+))", "\n".join(text(path) for path in places))
    words = {word for pair in chosen for word in " ".join(pair).split()} - {"or", "and", "not"}
    assert len(words) > 10
    assert not [word for word in words if word not in names]
