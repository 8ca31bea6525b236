"""From a wrong gradient to its reason in words: what is tried, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lincoln.checking.evidence import Evidence, agree
from lincoln.checking.formulas import FORMULAS, LATE_FORMULAS
from lincoln.checking.hand import HandRun
from lincoln.checking.judge import Judgement, input_name, network_of
from lincoln.checking.paths import path
from lincoln.checking.places import PLACES
from lincoln.checking.points import Point
from lincoln.checking.probes import (
    PROBES,
    Probe,
    drawn_again,
    hidden_from_autograd,
    not_proportional,
)
from lincoln.checking.reasons import ADDED, FIRST, UNWRITTEN, anothers, reordered, shape_reason
from lincoln.checking.report import Comparison
from lincoln.errors import LincolnError
from lincoln.layers import Layer
from lincoln.losses import Loss

_CLOSE = {torch.float64: 1e-8, torch.float32: 1e-4}
_MOST_ELEMENTS = 1_000_000
"""Of the input and output together: the passes of a larger layer are not repeated."""

Reason = Callable[[Evidence], str]
Again = Callable[[float], HandRun]


@dataclass(frozen=True)
class Trial:
    """The two passes of a subject at one point, by hand and by autograd, and their comparison."""

    subject: Layer | Loss
    point: Point
    judged: Judgement
    run: HandRun
    rows: dict[str, Comparison]
    dtype: torch.dtype
    seed: int


def diagnosed(trial: Trial, row: Comparison, again: Again) -> str:
    """Return the reason why a gradient is wrong. `again(before)` repeats the trial with gradients that hold `before`."""
    loss = row.name == "prediction"
    got = trial.run.prediction_grad if loss else trial.run.gradients[row.name]
    expected = trial.judged.prediction_grad if loss else trial.judged.gradients[row.name]
    if not isinstance(got, Tensor) or expected is None or not got.is_floating_point():
        return row.hint
    evidence = _evidence(trial, row.name, got.detach().double(), expected.detach())
    if got.shape != expected.shape:
        return ": ".join(filter(None, (row.hint, shape_reason(evidence))))
    if got.isnan().any() and not expected.isnan().any():
        found = _not_written(evidence, again)
        if found:
            return found
    return next((text for reason in _reasons(trial) if (text := _tried(reason, evidence))), "")


def _reasons(trial: Trial) -> list[Reason]:
    if isinstance(trial.subject, Loss) or next(trial.subject.leaves()) is not trial.subject:
        return [*FIRST, *PLACES, anothers]
    inputs = trial.point.inputs
    if inputs[0].numel() + trial.judged.output_grad.numel() > _MOST_ELEMENTS:
        return [*FIRST, *FORMULAS, *PLACES, *LATE_FORMULAS]
    probe = Probe(trial.subject, trial.point, trial.judged.output_grad, trial.dtype, trial.seed)
    early = [partial(one, probe=probe) for one in (hidden_from_autograd, drawn_again)]
    late = [partial(one, probe=probe) for one in (*PROBES, not_proportional, path)]
    return [*early, *FIRST, *FORMULAS, *PLACES, anothers, *late, *LATE_FORMULAS, reordered]


def _tried(reason: Reason, evidence: Evidence) -> str:
    """Return the reason, or nothing where looking for it fails: a repeated pass may refuse the numbers it is given."""
    try:
        return reason(evidence)
    except (LincolnError, RuntimeError, ValueError, TypeError, IndexError, NotImplementedError):
        return ""


def _evidence(trial: Trial, name: str, got: Tensor, expected: Tensor) -> Evidence:
    inputs, judged, subject = trial.point.inputs, trial.judged, trial.subject
    examples = len(inputs[0]) if inputs[0].dim() else 1
    close = _CLOSE[trial.dtype]
    if isinstance(subject, Loss):
        return Evidence(name, got, expected, examples, close, judged.prediction, input_word="prediction")
    if next(subject.leaves()) is not subject:
        return Evidence(name, got, expected, examples, close, is_input=name == input_name(subject))
    return Evidence(
        name,
        got,
        expected,
        examples,
        close,
        input=inputs[0],
        output=None if trial.run.output is None else trial.run.output.detach().double(),
        output_grad=judged.output_grad,
        parameters={k: v.double() for k, v in network_of(subject).named_parameters()} | trial.point.parameters,
        all_got=trial.run.gradients,
        all_expected=judged.gradients,
        is_input=name == input_name(subject),
    )


def _not_written(e: Evidence, again: Again) -> str:
    """Return why NaN, which stood in the gradient before the backward, is still there."""
    missing = e.got.isnan()
    from_zero, from_one = again(0.0).gradients.get(e.name), again(1.0).gradients.get(e.name)
    if e.is_input or from_zero is None or from_one is None or from_zero.isnan().any():
        return ""
    left = missing & (from_zero == 0) & (from_one == 1)
    if (missing & ~left).any():
        return ADDED
    what = f"_backward must fill self.grad[{e.parameter!r}]"
    if left.all():
        return f"{UNWRITTEN}: {what}"
    zeros = ", zeros included (zero_() first)" if agree(from_zero.double(), e.expected, e.close) else ""
    return f"{int(left.sum())} of {left.numel()} elements were not written: {what} whole{zeros}"
