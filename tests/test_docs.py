"""Test that the derivations quote the code, that their checks hold, that links resolve, and that CI runs the README."""

import re
import tomllib
from pathlib import Path

import pytest
import torch

import lincoln

ROOT = Path(__file__).parent.parent
SOURCE = {line.strip() for path in (ROOT / "lincoln").rglob("*.py") for line in path.read_text().splitlines()}
DERIVATIONS = sorted((ROOT / "docs" / "derivations").glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", DERIVATIONS, ids=lambda page: page.stem)
def test_derivations_quote_the_code_and_their_checks_hold(page):
    lines = [
        line.strip()
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    checks = [line for line in lines if "check_gradients" in line]
    assert checks
    for line in checks:
        assert eval(line.removeprefix("print(").removesuffix(")"), {"lincoln": lincoln, "torch": torch}), line
    assert [line for line in lines if line not in checks and line not in SOURCE] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        if ":" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_named_in_pages_exist(page):
    for path in re.findall(r"`((?:lincoln|docs|examples|benchmarks|tests)/[\w./]*)`", page.read_text()):
        assert (ROOT / path).exists(), path


def headings(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.name == "index.md" or f"({page.relative_to(ROOT / 'docs')})" in index, page.name


def test_every_page_with_examples_is_run():
    """A derivation's blocks are quotes of the code, not examples."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    with_examples = {
        str(page.relative_to(ROOT)) for page in PAGES if page not in DERIVATIONS and "```python\n" in page.read_text()
    }
    assert with_examples == set(settings["tool"]["pytest"]["ini_options"]["testpaths"]) - {"tests"}


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"```console\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(commands) == 2
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert all(f"{command} || exit 1" in lines for command in commands), "a && b alone does not stop bash -e when a fails"
