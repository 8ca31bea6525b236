"""Reasons, in words, why a gradient may be wrong: from the places of the wrong elements."""

from __future__ import annotations

from torch import Tensor

from lincoln.checking.evidence import Evidence, dims_words


def where_index(e: Evidence) -> str:
    """Wrong only at one index of a dimension, or right only there."""
    wrong, telling = e.wrong, e.telling
    if not wrong.any() or wrong.numel() == 1:
        return ""
    if wrong.sum() == 1 and telling.sum() > 2:
        return "only this element is wrong"
    zero = not e.got[wrong].any()
    for d, size in enumerate(wrong.shape):
        if size < 2:
            continue
        bad = _any_but(wrong, d)
        good = _any_but(telling & ~wrong, d)
        if size >= 3 and bad.sum() == size - 1 and good.sum() == 1 and not (bad & good).any():
            return f"it is right only at {_index_words(good, d)}{', and zero elsewhere' if zero else ''}"
        if bad.sum() == 1 and good.sum() == size - 1 and not (bad & good).any():
            return f"it is wrong only at {_index_words(bad, d)}{', where it is zero' if zero else ''}"
    return ""


def _any_but(mask: Tensor, d: int) -> Tensor:
    return mask.movedim(d, 0).reshape(mask.shape[d], -1).any(1)


def _index_words(there: Tensor, d: int) -> str:
    """The only index of dimension d that is True, in words."""
    index = int(there.nonzero()[0])
    which = {0: ", the first", len(there) - 1: ", the last"}.get(index, "")
    return f"index {index} of {dims_words((d,))}{which}"


def where_value(e: Evidence) -> str:
    """Wrong only where the input, or output_grad, has one sign, or lies beyond a bound."""
    for word, values in ((e.input_word, e.input), ("output_grad", e.output_grad)):
        if values is not None and values.shape == e.got.shape and values.is_floating_point():
            found = _region(e, values, word) or _bound(e, values, word) or _bound(e, values.abs(), f"|{word}|")
            if found:
                return found
    return ""


def _region(e: Evidence, values: Tensor, word: str) -> str:
    wrong, telling = e.wrong, e.telling
    regions = [
        (f"the {word} is exactly 0 ({word} == 0)", values == 0),
        (f"the {word} is negative ({word} < 0)", values < 0),
        (f"the {word} is positive ({word} > 0)", values > 0),
        (f"the {word} is 0 or less ({word} <= 0)", values <= 0),
        (f"the {word} is 0 or more ({word} >= 0)", values >= 0),
    ]
    zeros = "; it is zero there" if not e.got[wrong].any() else ""
    for words, region in regions:
        inside, outside = telling & region, telling & ~region
        if not (wrong & ~region).any() and outside.any() and (wrong & inside).sum() >= 0.7 * inside.sum() > 0:
            return f"it is wrong only where {words}{zeros}"
    return ""


def _bound(e: Evidence, values: Tensor, word: str) -> str:
    wrong, right = values[e.wrong], values[e.telling & ~e.wrong]
    if wrong.numel() < 3 or right.numel() < 3:
        return ""
    if wrong.min() > right.max():
        return f"it is wrong only where {word} is above {right.max().item():.3g}"
    if wrong.max() < right.min():
        return f"it is wrong only where {word} is below {right.min().item():.3g}"
    return ""


PLACES = (where_value, where_index)
