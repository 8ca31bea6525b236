"""Look at what a layer is given and what it makes of it, on the way through."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lincoln.layers import Layer


def watch(layer: Layer, note: Callable[[Layer, Tensor, Tensor], object]) -> None:
    """Call `note(layer, input, output)` at each forward of this layer. For copies: it stays for good."""
    forward = layer._forward

    def watched(input: Tensor) -> Tensor:
        output = forward(input)
        note(layer, input, output)
        return output

    layer._forward = watched  # type: ignore[method-assign]
