"""Predictions chunk by chunk, so that they need little more memory than a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

from lincoln._util.joined import Joined
from lincoln.layers import Layer
from lincoln.losses import Loss

CHUNK = 65536
"""Examples predicted at a time, unless the network is wide."""
_NUMBERS = 2**22  # of one layer's output for a chunk: with all examples at once, 20,000 classes take gigabytes
FEW = 256
"""Examples that make one chunk whatever the network."""


def chunks(network: Layer, examples: int) -> Iterator[slice]:
    """Return the parts in which so many examples are predicted, one after another; wide layers make them smaller."""
    parameters = network.flat.values.numel() if network.flat is not None else _NUMBERS  # no layer can be wider than that
    size = CHUNK
    if examples > FEW and examples * parameters > _NUMBERS:
        size = min(CHUNK, max(FEW, _NUMBERS // _width(network)))
    return (slice(start, start + size) for start in range(0, examples, size))


def predictions(
    loss: Loss, parts: Iterable[Tensor], examples: int, kept: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return the predictions of the loss's network for features in parts: probabilities if the loss has a link.

    If `kept` is given, only kept(prediction) of each part is held in memory, and returned.
    """
    found = Joined(examples)
    for part in parts:
        if len(part) == examples:  # a copy would be for nothing
            return loss.predict(part) if kept is None else kept(loss.predict(part))
        found.add(loss.predict(part) if kept is None else kept(loss.predict(part)))
    return found.whole()


def _width(network: Layer) -> int:
    """Return the largest number of outputs that a matrix of weights tells of; 1 before there is any."""
    return max((parameter.shape[-1] for parameter in network.parameters() if parameter.dim()), default=1) or 1
