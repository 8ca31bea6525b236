"""The derivations quote the code as it stands, and their checks hold."""

import re
from pathlib import Path

import pytest
import torch

import lincoln

ROOT = Path(__file__).parent.parent
SOURCE = {line.strip() for path in (ROOT / "lincoln").rglob("*.py") for line in path.read_text().splitlines()}
PAGES = sorted((ROOT / "docs" / "derivations").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_quotes_and_checks(page):
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


def test_links_between_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_ci_runs_the_readmes_commands():
    commands = re.findall(r"```console\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(commands) == 2
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert all(f"{command} || exit 1" in lines for command in commands), "a && b alone does not stop bash -e when a fails"
