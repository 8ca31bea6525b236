"""Run README.md and the docs as tests: Python blocks are executed; a text block says what the one before it prints."""

import contextlib
import io
import re

import pytest
import torch
from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser


class _Python(CodeBlockParser):
    language = "python"

    def evaluate(self, example):
        torch.manual_seed(0)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            problem = PythonEvaluator()(example)
        example.namespace["printed"] = out.getvalue()
        return problem


class _Printed(CodeBlockParser):
    """Words must be the same; numbers may differ as processors do, and seconds as they like."""

    language = "text"

    def evaluate(self, example):
        got, expected = (_words_and_numbers(text) for text in (example.namespace["printed"], str(example.parsed)))
        if got[0] != expected[0] or got[1] != pytest.approx(expected[1], rel=0.01, abs=2e-3):
            return f"printed:\n{example.namespace['printed']}\nthe page says:\n{example.parsed}"
        return None


def _words_and_numbers(text):
    text = re.sub(r"\d+\.\d\d s\b", "(seconds)", text)
    number = r"-?\d+(?:\.\d*)?(?:e-?\d+)?"
    words = [line.split() for line in re.sub(number, "#", text).splitlines() if line.strip()]
    return words, [float(value) for value in re.findall(number, text)]


pytest_collect_file = Sybil(parsers=[_Python(), _Printed()], patterns=["README.md", "docs/estimators.md"]).pytest()
