"""Check hand-written gradients against torch.autograd, and find the layer that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from lincoln._util.settings import INTEGER, NON_NEGATIVE, setting
from lincoln._util.tensors import inference
from lincoln._util.text import short
from lincoln.checking.examination import Examination, culprits
from lincoln.checking.judge import copied, duplicate, network_of
from lincoln.checking.points import EXAMPLES
from lincoln.checking.report import GradientReport
from lincoln.engine.threads import threads_for
from lincoln.errors import ArgumentError, LayerError, LincolnError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.training.random import seeded

_TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-3}


def check_gradients(
    target: Layer | Loss,
    *inputs: Tensor,
    tolerance: float | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> GradientReport:
    """Compare the hand-written gradients of `target` with those that torch.autograd finds for its own forward.

    `target` is a layer or a network, with one example input (n, ...); or a loss, with features, targets and optionally
    sample weights. It runs in training mode; the hand-written pass works in `dtype`, torch.float64 or torch.float32,
    autograd in float64. The upstream gradient of a layer is random, that of a loss is 1.

    The relative error of an element is |got - expected| / (|expected| + 0.001 max |expected|). A gradient passes if no
    error exceeds `tolerance`, by default 1e-7 in float64 and 1e-3 in float32. It must pass

    - at the parameters given and at others near them, since a scale of 1 and a shift of 0 hide mistakes;
    - on three examples made of the one given, if there is but one, which cannot show a missing sum over examples;
    - with an evaluation forward on other numbers between forward and backward, and on a layer that has run before;
    - for the parameters, under `backward(input_grad=False)`.

    A layer fails, too, if it changes its input, its output, output_grad or a parameter in place.

    Everything runs on copies: the network keeps its values, gradients, saved tensors, mode, dtype and device, and the
    random state is restored. A layer that is not built is checked with initial weights drawn from `seed`.

    The report is true if every gradient passes. A failure names the parameter, its worst element, the value got and the
    value expected, where it can the mistake, and in a network the layer, or the loss, to blame. Raises ArgumentError for a
    target, inputs or settings other than these, and for an empty input; LayerError for a forward that fails, or that
    autograd cannot differentiate.
    """
    _refuse_misuse(target, inputs, dtype)
    seed = setting("check_gradients", "seed", seed, INTEGER)
    tolerance = setting("check_gradients", "tolerance", _TOLERANCE[dtype] if tolerance is None else tolerance, NON_NEGATIVE)
    with inference(False), seeded(seed), _no_word_of_torch(target):
        exact = tuple(copied(tensor, torch.float64) for tensor in inputs)
        subject, given = _built(target, exact[0])
        examination = Examination(subject, exact, dtype, tolerance, seed, given)
        with threads_for(network_of(subject), len(exact[0]) if exact[0].dim() else 1):
            findings = examination.run()
            wrong = any(not row.passed for row in findings.rows)
            blamed = list(culprits(examination, findings)) if wrong else []
    notes = [_one_example(findings.varied)] if exact[0].dim() and len(exact[0]) == 1 else []
    return GradientReport(_label(target), findings.rows, blamed, notes)


def _built(target: Layer | Loss, x: Tensor) -> tuple[Layer | Loss, str]:
    """Return a copy in float64, in training mode and built; and a word for its values: "given", or "initial" if new."""
    subject: Layer | Loss = duplicate(target)
    network = network_of(subject).to(dtype=torch.float64)
    given = all(layer.built for _, layer in network.named_layers())
    if not given:
        with torch.no_grad():
            network.eval()(x)
    network.train()
    return subject, "given" if given else "initial"


@contextmanager
def _no_word_of_torch(target: Layer | Loss) -> Iterator[None]:
    """Raise errors of torch's own as LayerErrors; a layer that has not written a method still says so itself."""
    try:
        yield
    except LincolnError:
        raise
    except (RuntimeError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, NotImplementedError) and "must write" in str(error):
            raise
        raise LayerError(f"{_label(target)}: the check failed: {str(error).splitlines()[0][:300]}") from error


def _label(target: Layer | Loss) -> str:
    return target.label if isinstance(target, Layer) else repr(target)


def _one_example(varied: bool) -> str:
    also = (
        f"it was checked on {EXAMPLES} examples made of this one, too"
        if varied
        else "the layer takes no other number of examples: check on several if it can"
    )
    return f"one example cannot show a missing sum over examples; {also}"


def _refuse_misuse(target: object, inputs: tuple[object, ...], dtype: torch.dtype) -> None:
    if not isinstance(target, Layer | Loss):
        raise ArgumentError(f"check_gradients: {short(target)} is neither a Layer nor a Loss (an instance, not a class)")
    if len(inputs) not in ((1,) if isinstance(target, Layer) else (2, 3)):
        raise ArgumentError(
            "check_gradients: expected (layer, x), (loss, features, targets) or (loss, features, targets, weights)"
        )
    for tensor in inputs:
        if not isinstance(tensor, Tensor) or tensor.numel() == 0:
            found = f"empty, {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else f"a {type(tensor).__name__}"
            raise ArgumentError(f"check_gradients: an input is {found}; expected tensors with at least one element")
        if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized or tensor.is_meta:
            raise ArgumentError(
                f"check_gradients: an input is {tensor.dtype}, {tensor.layout}, on {tensor.device}; expected a "
                f"dense tensor of real numbers: use to_dense(), .real or an example with numbers"
            )
    if dtype not in _TOLERANCE:
        raise ArgumentError(f"check_gradients: dtype is {dtype}; expected torch.float64 or torch.float32")
