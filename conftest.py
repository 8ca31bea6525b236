"""Run the pages as tests: execute each ```python block, and compare what it prints with the ```text block after it.

The blocks of a page share their names. `torch.manual_seed(0)` precedes each block. A page whose examples are run is listed
here and in `testpaths` of pyproject.toml.
"""

import contextlib
import io
import re

import pytest
import torch
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

PAGES = [
    "README.md",
    "docs/errors.md",
    "docs/estimators.md",
    "docs/layers.md",
    "docs/notebook.md",
    "docs/training.md",
]


class _PythonBlock(CodeBlockParser):
    language = "python"

    def evaluate(self, example):
        torch.manual_seed(0)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            problem = PythonEvaluator()(example)
        example.namespace["printed"] = out.getvalue()
        return problem


class _TextBlock(CodeBlockParser):
    """Compare words exactly, and numbers to 1 %, since processors round differently; ignore times in seconds."""

    language = "text"

    def evaluate(self, example):
        got, expected = (_words_and_numbers(text) for text in (example.namespace["printed"], str(example.parsed)))
        if got[0] != expected[0] or got[1] != pytest.approx(expected[1], rel=0.01, abs=2e-3):
            return f"printed:\n{example.namespace['printed']}\nexpected, as on the page:\n{example.parsed}"
        return None


def _words_and_numbers(text):
    text = re.sub(r"\d+\.\d\d s\b", "(seconds)", text)
    number = r"-?\d+(?:\.\d*)?(?:e-?\d+)?"
    words = [line.split() for line in re.sub(number, "#", text).splitlines() if line.strip()]
    return words, [float(value) for value in re.findall(number, text)]


pytest_collect_file = Sybil(parsers=[_PythonBlock(), _TextBlock()], patterns=PAGES).pytest()
