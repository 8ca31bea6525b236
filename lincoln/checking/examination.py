"""A check of one subject: at the point given and at another, with and without the input's gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from lincoln.checking.diagnosis import Trial, diagnosed
from lincoln.checking.explain import explained
from lincoln.checking.hand import Between, HandRun, disturb, run_by_hand
from lincoln.checking.judge import Judgement, by_autograd, duplicate, network_of
from lincoln.checking.points import Point, other_points
from lincoln.checking.report import Comparison, compare, failed
from lincoln.checking.state import Forget, kept_state
from lincoln.errors import LincolnError
from lincoln.layers import Layer
from lincoln.losses import Loss


@dataclass
class Findings:
    """What an examination found."""

    rows: list[Comparison]
    seen: list[tuple[str, Tensor]] = field(default_factory=list)
    """The path and input of each layer inside the subject."""
    prediction: Comparison | None = None
    """dL/dprediction, if the loss gets it wrong."""
    varied: bool = False
    """True if examples were made of the given ones."""


@dataclass(frozen=True)
class Examination:
    """The subject of a check, in float64, built and in training mode; its inputs; and how it is checked.

    `given` names the values of the parameters in words.
    """

    subject: Layer | Loss
    inputs: tuple[Tensor, ...]
    dtype: torch.dtype
    tolerance: float
    seed: int
    given: str = "initial"

    def run(self) -> Findings:
        """Compare every gradient."""
        used = self._copy(self.subject)
        here = Point(self.inputs, {})
        first = self._trial(here, by_autograd(self.subject, self.inputs, self.seed), used, watch=True)
        if first.run.error is not None and not first.rows:
            return Findings([*first.run.changes, failed("backward", explained(first.run.error))], first.judged.seen)
        second = self._second(used, first.judged)
        lazy = self._lazy(used, second)
        rows = [self._joined(name, first, second) for name in first.rows]
        failing = first if any(not row.passed for row in first.rows.values()) else second
        return Findings(
            [*rows, *lazy, *first.run.changes, *self._changed_parameters(first)],
            failing.judged.seen,
            self._prediction(first) or self._prediction(second),
            second.point.varied,
        )

    def _trial(self, point: Point, judged: Judgement, subject: Layer | Loss, **how: object) -> Trial:
        """Run `subject`, which is of no other use then than to run again, and compare."""
        run = run_by_hand(subject, point.inputs, judged.output_grad, self.seed, **how)  # type: ignore[arg-type]
        rows = {
            name: compare(name, run.gradients[name], expected, self.tolerance)
            for name, expected in judged.gradients.items()
            if name in run.gradients
        }
        if run.error is not None and not _told_by_shape(rows):
            rows = {}
        return Trial(self.subject, point, judged, run, rows, self.dtype, self.seed)

    def _second(self, used: Layer | Loss, first: Judgement) -> Trial:
        """Compare at another point, on a layer that has run before, with an evaluation between forward and backward."""
        network = network_of(used)
        *others, last = other_points(network, self.inputs, self.given)
        for point in others:
            point.move(network)
            try:
                judged = by_autograd(used, point.inputs, self.seed)
                if not _has_nan(judged) or _has_nan(first):
                    return self._trial(point, judged, used, between=disturb(point.inputs))
            except LincolnError:  # the subject refuses these numbers: try the next ones
                continue
        last.move(network)
        return self._trial(last, by_autograd(used, last.inputs, self.seed), used, between=disturb(last.inputs))

    def _joined(self, name: str, first: Trial, second: Trial) -> Comparison:
        """Return the comparison at both points: where it is wrong, with the reason and the point."""
        one, two = first.rows[name], second.rows.get(name)
        if two is None and second.run.error is not None:
            two = failed(name, explained(second.run.error))
        if one.passed and (two is None or two.passed):
            return one
        if not one.passed:
            at = f"at the {self.given} parameters only" if two is not None and two.passed and second.point.at else ""
            return replace(one, hint=diagnosed(first, one, partial(self._again, first)), at=at)
        assert two is not None
        state = self._kept_state(second, name)
        if state:
            return replace(two, hint=state)
        return replace(two, hint=diagnosed(second, two, partial(self._again, second)), at=f"only {second.point.at}")

    def _again(self, trial: Trial, before: float) -> HandRun:
        """Repeat a trial on a new copy, each gradient holding `before`."""
        subject = self._copy(self.subject)
        trial.point.move(network_of(subject))
        return run_by_hand(subject, trial.point.inputs, trial.judged.output_grad, self.seed, before=before)

    def _kept_state(self, second: Trial, name: str) -> str:
        """Return why a gradient is wrong only at the second point, if the layer keeps something from another forward."""

        def passes(between: Between | None, forget: Forget) -> bool:
            subject = self._copy(self.subject)
            second.point.move(network_of(subject))
            forget(network_of(subject))
            trial = self._trial(second.point, second.judged, subject, between=between)
            return name in trial.rows and trial.rows[name].passed

        return kept_state(passes, network_of(self._copy(self.subject)), second.point.inputs)

    def _lazy(self, used: Layer | Loss, second: Trial) -> list[Comparison]:
        """Return the gradients that pass, but fail where dL/dinput is not asked for."""
        own = {name for name, _ in network_of(used).named_parameters()}
        passed = [name for name, row in second.rows.items() if row.passed and name in own]
        if not passed:
            return []
        again = run_by_hand(used, second.point.inputs, second.judged.output_grad, self.seed, input_grad=False)
        if again.error is not None:
            return [failed("backward, input_grad=False", explained(again.error))]
        expected = second.judged.gradients
        rows = [
            compare(f"{name}, input_grad=False", again.gradients[name], expected[name], self.tolerance) for name in passed
        ]
        hint = "it is right where dL/dinput is asked for: write it in both cases (self.needs_input_grad)"
        return [replace(row, hint=hint) for row in rows if not row.passed]

    def _changed_parameters(self, first: Trial) -> Iterator[Comparison]:
        hint = "the layer changed its parameter in place: only an optimizer may; work on a copy"
        for name, (before, now) in first.run.changed_parameters.items():
            row = compare(f"{name} after backward", now, before.double(), 0.0)
            yield replace(row, passed=False, hint=hint)

    def _prediction(self, trial: Trial) -> Comparison | None:
        got, expected = trial.run.prediction_grad, trial.judged.prediction_grad
        if not isinstance(self.subject, Loss) or got is None or expected is None:
            return None
        row = compare("prediction", got, expected, self.tolerance)
        return None if row.passed else replace(row, hint=diagnosed(trial, row, partial(self._again, trial)))

    def _copy(self, subject: Layer | Loss) -> Layer | Loss:
        fresh: Layer | Loss = duplicate(subject)
        network_of(fresh).to(dtype=self.dtype)
        return fresh


def culprits(examination: Examination, findings: Findings) -> Iterator[tuple[str, Comparison]]:
    """Check each layer alone, innermost first; a layer of layers is to blame only if no layer in it is."""
    if findings.prediction is not None:
        yield repr(examination.subject), findings.prediction
    layers = dict(network_of(examination.subject).named_layers())
    blamed: set[str] = set()
    for path, input in sorted(findings.seen, key=lambda pair: -pair[0].count(".")):
        if any(inner.startswith(f"{path}.") for inner in blamed):
            continue
        try:
            rows = replace(examination, subject=layers[path], inputs=(input,)).run().rows
        except LincolnError as error:
            rows = [failed("forward", str(error))]
        for row in rows:
            if not row.passed:
                blamed.add(path)
                yield layers[path].label, row


def _has_nan(judged: Judgement) -> bool:
    return any(bool(torch.isnan(gradient).any()) for gradient in judged.gradients.values())


def _told_by_shape(rows: dict[str, Comparison]) -> bool:
    """True if the comparisons themselves say what the backward's error is: a returned gradient of another shape."""
    return any(not row.passed and not row.worst for row in rows.values())
