"""Reasons, in words, why a gradient may be wrong: from its numbers alone.

A reason is given only where it explains every element of the gradient, so that it is a finding and not a guess.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln.checking.evidence import Evidence, agree, dims_words, shaped, sums

UNWRITTEN = "no element was written"
ADDED = "it was added to (+=) what stood there: gradients are overwritten, so use = or out="


def shape_reason(e: Evidence) -> str:
    """Return why the gradient has another shape than its parameter or input."""
    got, expected, close = e.got, e.expected, e.close
    if got.dim() >= 2 and agree(got.mT, expected, close):
        return "it is the transpose of what it should be"
    same = shaped(got, expected)
    if same is not None and agree(same, expected, close):
        return "its numbers are right: keep the dimensions (keepdim=True), or reshape"
    for dims, total in sums(got):
        total_like = shaped(total, expected)
        if total_like is not None and agree(total_like, expected, close):
            return f"the sum over {dims_words(dims)} is missing"
        mean_like = shaped(got.mean(dims), expected)
        if mean_like is not None and agree(mean_like, expected, close):
            return f"it is repeated along {dims_words(dims)}"
    for dims, total in sums(expected):
        if shaped(total, got) is not None and agree(got, total.reshape(got.shape), close):
            return f"it is summed over {dims_words(dims)}, which must stay"
    if got.dim() >= 2 and got.mT.shape == expected.shape:
        return "its shape is that of the transpose"
    return ""


def nan_reason(e: Evidence) -> str:
    """Return why numbers are missing."""
    if not torch.isfinite(e.expected).all():
        return (
            "autograd itself finds no finite number: the forward has no derivative there, or overflows; check at another "
            "input"
        )
    if torch.isnan(e.got).all():
        return f"{UNWRITTEN}: _backward must fill self.grad[{e.parameter!r}]" if not e.is_input else "every element is NaN"
    return "" if torch.isfinite(e.got).all() else f"_backward computes {e.got[~torch.isfinite(e.got)][0].item()}"


def rounding(e: Evidence) -> str:
    """Return why the error is small everywhere."""
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        exact = e.got.to(dtype).double()
        bound = 4 * torch.finfo(dtype).eps
        if torch.equal(exact, e.got) and agree(e.got, e.expected, bound) and not torch.equal(exact, e.expected):
            return f"it is rounded to {dtype}: something on the way is computed in that precision"
    if agree(e.got, e.expected, 1e-5):
        return (
            "the error is small everywhere: a rounding to torch.float32 on the way, or a small constant (eps) that the "
            "backward leaves out"
        )
    return ""


def zero(e: Evidence) -> str:
    """Every element is zero."""
    return "" if e.got.any() else "every element is zero"


def ratio(e: Evidence) -> str:
    """Every element is off by one factor."""
    large = e.expected.abs() > 1e-6 * e.expected.abs().max()
    ratios = (e.got / e.expected)[large]
    if ratios.numel() == 0 or not e.is_(factor * e.expected if (factor := ratios.mean()) is not None else None):
        return ""
    times = ratios.mean().item()
    known = _factor_words(times, e)
    if ratios.numel() == 1 and not known:
        return ""
    return f"every element is {_number(times)} times what it should be{known}"


def _factor_words(times: float, e: Evidence) -> str:
    n, last = e.examples, e.expected.shape[-1] if e.expected.dim() else 1
    words = [
        (-1.0, "the sign is wrong"),
        (
            1 / n,
            f"it is divided by the number of examples, {n}, once too often: a mean where the sum over the batch belongs",
        ),
        (float(n), f"1/n is missing, for n = {n} examples"),
        (2.0, "a factor 2 too many"),
        (0.5, "a factor 2 is missing"),
        (1 / last, f"it is divided by {last}, the size of the last dimension"),
        (float(last), f"it is multiplied by {last}, the size of the last dimension"),
        *_size_words(e),
    ]
    return next((f": {text}" for value, text in words if value != 1 and abs(times / value - 1) < 1e-6), "")


def _size_words(e: Evidence) -> list[tuple[float, str]]:
    """Factors of the sizes of the input and the output: a sum and a mean are confused."""
    words = []
    for name, tensor in (("input", e.input), ("output", e.output_grad)):
        for size in dict.fromkeys((*tensor.shape, tensor.numel()) if tensor is not None else ()):
            of = f"{size}, a size of the {name}" if tensor is None or size != tensor.numel() else f"{size} elements"
            words.append((1 / size, f"it is divided by {of}: a mean where a sum belongs"))
            words.append((float(size), f"it is not divided by {of}: a sum where a mean belongs"))
    return words


def _number(value: float) -> str:
    return f"{value:.4g}" if f"{value:.4g}" != "1" else f"{value:.8g}"


def transposed(e: Evidence) -> str:
    """The transpose of a square gradient."""
    return "it is the transpose of what it should be" if e.got.dim() >= 2 and e.is_(e.expected.mT) else ""


def swapped(e: Evidence) -> str:
    """Another parameter's gradient, which has this one's."""
    for name, other in e.all_expected.items():
        own = e.all_got.get(name)
        if name != e.name and e.is_(shaped(other, e.got)) and isinstance(own, Tensor):
            theirs = shaped(own.double(), e.expected)
            if theirs is not None and agree(theirs, e.expected, e.close):
                return f"it is the gradient of {name}: the two are swapped"
    return ""


def anothers(e: Evidence) -> str:
    """Another parameter's gradient."""
    others = (name for name, other in e.all_expected.items() if name != e.name and e.is_(shaped(other, e.got)))
    return next((f"it is the gradient of {name}" for name in others), "")


def sign_lost(e: Evidence) -> str:
    """The absolute value."""
    if e.is_(e.expected.abs()) or e.is_(-e.expected.abs()):
        return "its absolute values are right: the sign is lost"
    return ""


def constant(e: Evidence) -> str:
    """One number everywhere."""
    if e.got.numel() > 1 and e.is_(e.got.flatten()[0].expand_as(e.got)):
        return f"every element is the same number, {e.got.flatten()[0].item():.4g}"
    return ""


def shifted(e: Evidence) -> str:
    """Right numbers in wrong places."""
    for d, size in enumerate(e.got.shape):
        if size >= 2 and e.is_(e.expected.flip(d)):
            return f"it is in reverse order along dimension {d}"
        for step in (1, -1):
            moved = e.expected.roll(step, d)
            inner = (slice(None),) * d + (slice(1, None) if step == 1 else slice(None, -1),)
            if size >= 3 and agree(e.got[inner], moved[inner], e.close):
                return f"it is shifted by one along dimension {d}"
    return ""


def reordered(e: Evidence) -> str:
    """The same numbers in another order."""
    if e.got.numel() >= 4 and agree(e.got.flatten().sort().values, e.expected.flatten().sort().values, e.close):
        return "it holds the right numbers in another order"
    return ""


def clipped(e: Evidence) -> str:
    """Cut off at a bound."""
    low, high = e.got.min(), e.got.max()
    if low < high and e.is_(e.expected.clamp(low, high)):
        return f"it is clipped to {low.item():.4g} ... {high.item():.4g}"
    return ""


def broadcast(e: Evidence) -> str:
    """Averaged, or one row for all."""
    for d, size in enumerate(e.got.shape):
        if size < 2:
            continue
        total = e.expected.sum(d, keepdim=True).expand_as(e.got)
        if e.is_(total):
            return f"it is summed over {dims_words((d,))} and repeated: sum less"
        if e.is_(total / size):
            return f"it is averaged over {dims_words((d,))} and repeated"
    return ""


FIRST = (
    nan_reason,
    rounding,
    zero,
    ratio,
    transposed,
    swapped,
    sign_lost,
    constant,
    shifted,
    broadcast,
    clipped,
)
