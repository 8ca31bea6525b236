"""Errors that a backward raises, with what they may mean."""

from __future__ import annotations

import re

from lincoln.errors import LincolnError

_PRODUCT = re.compile(r"cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")


def explained(error: LincolnError) -> str:
    """Return the error's message, and the likely mistake where factors or terms do not fit together."""
    text = str(error)
    shapes = _PRODUCT.search(text)
    if shapes:
        a, _, c, d = shapes.groups()
        first, second = ("first" if a == c else ""), ("second" if shapes[2] == d else "")
        which = " or the ".join(filter(None, (first, second)))
        return f"{text}; the transpose (.mT) of {f'the {which} factor' if which else 'a factor'} is missing"
    if "must match the size of tensor" in text or "must match the existing size" in text:
        return f"{text}; a sum with keepdim=True, or an unsqueeze, is missing"
    return text
