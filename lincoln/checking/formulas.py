"""Reasons, in words, why a layer's gradient may be wrong: from its input x, output y, output_grad G and parameters."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lincoln.checking.evidence import Evidence, agree, dims_words, shaped, sums
from lincoln.checking.places import where_value


def output_grad_itself(e: Evidence) -> str:
    """dL/dy where dL/dx belongs, or dL/dy left out of a sum: a skip path."""
    G = e.output_grad
    if G is None or G.shape != e.got.shape:
        return ""
    if e.is_(G):
        where = where_value(e)
        return (
            "it is output_grad itself: the derivative of the forward, dy/dx, is missing (of a residual, the inner path)"
            f"{f'; {where}' if where else ''}"
        )
    if e.is_(e.expected - G):
        return "it lacks exactly output_grad: the skip path, by which the input is added to the output, is missing"
    if e.is_(e.expected + G):
        return "it is output_grad too much: a skip path is counted that the forward does not have, or counted twice"
    if e.is_(G * e.expected):
        return "it is multiplied by output_grad once too often"
    return ""


def summed(e: Evidence) -> str:
    """A sum of output_grad over other dimensions, or without its factor."""
    for words, terms in _terms(e):
        own = _axes(terms, e.expected, e.close)
        found = _axes(terms, e.got, e.close)
        if found is None:
            continue
        if own is not None:
            return f"it is summed over {dims_words(found)}, instead of {dims_words(own)}: the wrong axis"
        factor = "the factor output_grad" if words == "input" else "a factor"
        return f"it is {words} summed over {dims_words(found)}: {factor} is missing"
    return _repeated_sum(e)


def _repeated_sum(e: Evidence) -> str:
    G = e.output_grad
    if G is None or not 2 <= G.dim() <= 5:
        return ""
    for dims, total in sums(G):
        fits = total.numel() > 1 and total.dim() < e.got.dim() and total.shape == e.got.shape[e.got.dim() - total.dim() :]
        if fits and e.is_(total.expand_as(e.got)):
            return f"it is output_grad summed over {dims_words(dims)} and repeated: a factor, the input perhaps, is missing"
    return ""


def _terms(e: Evidence) -> Iterator[tuple[str, Tensor]]:
    G, x, y = e.output_grad, e.input, e.output
    if G is None or G.dim() > 5:
        return
    yield "output_grad", G
    if x is not None and x.shape == G.shape and x.is_floating_point():
        yield "input * output_grad", x * G
        yield "input", x
    if y is not None and y.shape == G.shape:
        yield "output * output_grad", y * G


def _axes(terms: Tensor, like: Tensor, close: float) -> tuple[int, ...] | None:
    for dims, total in sums(terms):
        same = shaped(total, like)
        if same is not None and agree(same, like, close):
            return dims
    return None


def products(e: Evidence) -> str:
    """An elementwise product in the place of a matrix product, or a matrix that is not transposed."""
    rows, grads = _matrices(e)
    if rows is not None and grads is not None and rows.shape == grads.shape and e.is_(shaped(rows * grads, e.got)):
        return "it is the elementwise product of the input and output_grad, where a matrix product (a sum) is needed"
    G = e.output_grad
    for name, W in e.parameters.items():
        if not e.is_input or G is None or W.dim() != 2:
            continue
        if W.shape[0] == G.shape[-1] and e.is_(G @ W):
            return f"it is output_grad @ {name}: the transpose of {name} is needed ({name}.mT)"
        if _broadcasts(G, W) and e.is_(G * W) and min(W.shape) > 1:
            return f"it is output_grad * {name}, the elementwise product, where a matrix product is needed"
    return ""


def bare_products(e: Evidence) -> str:
    """A matrix product of what should have had another factor."""
    rows, grads = _matrices(e)
    if (
        rows is not None
        and grads is not None
        and len(rows) == len(grads)
        and (e.is_(shaped(rows.mT @ grads, e.got)) or e.is_(shaped(grads.mT @ rows, e.got)))
    ):
        return "it is the matrix product of the input and output_grad: a factor is missing, or a transpose"
    for name, W in e.parameters.items():
        G = e.output_grad
        if e.is_input and G is not None and W.dim() == 2 and W.shape[1] == G.shape[-1] and e.is_(G @ W.mT):
            return f"it is output_grad @ {name}.mT: a factor is missing, or a transpose"
    return ""


def _matrices(e: Evidence) -> tuple[Tensor | None, Tensor | None]:
    """The input and output_grad as matrices, a row for each example and position; None without them."""
    x, G = e.input, e.output_grad
    if x is None or G is None or not x.is_floating_point() or min(G.dim(), x.dim()) < 2:
        return None, None
    return x.reshape(-1, x.shape[-1]), G.reshape(-1, G.shape[-1])


def _broadcasts(a: Tensor, b: Tensor) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a.shape), reversed(b.shape), strict=False))


def factors(e: Evidence) -> str:
    """A factor that is missing or too many: a known tensor, or one number for each row or column."""
    known = {f"the {e.input_word}": e.input, "the output": e.output, "output_grad": e.output_grad} | e.parameters
    for words, factor in known.items():
        if factor is None or not factor.is_floating_point() or factor.numel() < 2 or not _broadcasts(factor, e.got):
            continue
        if factor.dim() > e.got.dim():
            continue
        if agree(e.got * factor, e.expected, e.close):
            return f"the factor {words} is missing"
        if e.is_(e.expected * factor):
            return f"the factor {words} is one too many"
        if e.is_(e.expected * factor.abs()) or agree(e.got * factor.abs(), e.expected, e.close):
            return f"a factor |{words}| is missing or too many"
    return ""


def other_derivative(e: Evidence) -> str:
    """output_grad times a known function of the input or the output, which is not the derivative."""
    G = e.output_grad
    if G is None or G.shape != e.got.shape or not e.is_input:
        return ""
    for word, v in ((e.input_word, e.input), ("output", e.output)):
        if v is None or v.shape != G.shape:
            continue
        known = {
            f"{word}": v,
            f"{word}^2": v**2,
            f"(1 - {word})": 1 - v,
            f"(1 - {word}^2)": 1 - v**2,
            f"(1 + {word}^2)": 1 + v**2,
            f"{word} * (1 - {word})": v * (1 - v),
            f"1 / {word}": 1 / v,
            f"the sign of the {word}": v.sign(),
            f"({word} > 0)": (v > 0).to(v),
            f"({word} < 0)": (v < 0).to(v),
            f"e^{word}": v.exp(),
        }
        for formula, factor in known.items():
            if e.is_(G * factor):
                return f"it is output_grad * {formula}, which is not the derivative of this forward"
    return ""


def own_factors(e: Evidence) -> str:
    """A factor for each row or column."""
    for d in {e.got.dim() - 1, 0} if e.got.dim() >= 2 else ():
        factor = _along(e.got, e.expected, d)
        if e.got.shape[d] >= 3 and e.is_(e.expected * factor) and factor.std(unbiased=False) > e.close:
            part = "each row (along the last dimension)" if d else "each column (along the examples)"
            return f"{part} is off by a factor of its own: a factor such as 1 / standard deviation is missing"
    return ""


def terms(e: Evidence) -> str:
    """A term that is missing: one number for each row or column, or that times the output, the input or both."""
    for d in {e.got.dim() - 1, 0} if e.got.dim() >= 2 else ():
        size = e.got.shape[d]
        if size < 2 or e.got.numel() < 2 * size:
            continue
        found = _term(e, d, size)
        if found:
            return f"{found} over {'the examples (dimension 0)' if d == 0 else 'the last dimension'} is missing"
    return ""


def _term(e: Evidence, d: int, size: int) -> str:
    missing = e.expected - e.got
    ones = torch.ones_like(missing)
    if agree(missing.mean(d, keepdim=True).expand_as(missing), missing, e.close):
        return "the difference is one number along a dimension: the term with the mean (or sum) of the gradient"
    for word, values in (("output", e.output), (e.input_word, e.input)):
        if values is None or values.shape != missing.shape or not values.is_floating_point() or size < 3:
            continue
        centred = values - values.mean(d, keepdim=True)
        if _fits(missing, [values], d, e.close):
            return f"the difference is a multiple of the {word}: the term with the sum (or mean) of gradient times {word}"
        if _fits(missing, [centred], d, e.close):
            return f"the difference is a multiple of the centred {word}: the term of the variance"
        if size >= 4 and _fits(missing, [ones, values], d, e.close):
            return f"the difference is a number plus a multiple of the {word}: the terms of the mean and the variance"
    return ""


def _along(got: Tensor, expected: Tensor, d: int) -> Tensor:
    """The factor for each row or column along d that makes `expected` closest to `got`."""
    squares = (expected * expected).sum(d, keepdim=True)
    return (got * expected).sum(d, keepdim=True) / torch.where(squares > 0, squares, 1.0)


def _fits(tensor: Tensor, basis: list[Tensor], d: int, close: float) -> bool:
    """True if the tensor is a combination of the basis along d, with numbers of its own for each other index."""
    A = torch.stack([one.movedim(d, -1) for one in basis], -1)
    b = tensor.movedim(d, -1).unsqueeze(-1)
    gram = A.mT @ A + 1e-300 * torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    solved, info = torch.linalg.solve_ex(gram, A.mT @ b)
    return not bool(info.any()) and agree(A @ solved, b, max(close, 1e-7))


def duplicates(e: Evidence) -> str:
    """Wrong exactly in the rows that the input names more than once."""
    x = e.input
    if x is None or x.is_floating_point() or x.dtype == torch.bool or e.got.dim() < 1 or x.numel() == 0:
        return ""
    if x.min() < 0 or x.max() >= len(e.got):
        return ""
    counts = torch.bincount(x.flatten().long(), minlength=len(e.got))
    wrong = e.wrong.reshape(len(e.got), -1).any(1)
    single = counts == 1
    if wrong.any() and single.any() and not wrong[counts <= 1].any() and bool(wrong[counts > 1].all()):
        return (
            "it is wrong exactly in the rows whose index occurs more than once in the input: duplicates are lost; add up "
            "(index_add_, or index_put_ with accumulate=True)"
        )
    return ""


FORMULAS = (duplicates, terms, output_grad_itself, summed, products, factors)
LATE_FORMULAS = (bare_products, other_derivative, own_factors)
