"""Evaluation mode inside a with block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lincoln.layers.layer import Layer


@contextmanager
def evaluating(network: Layer, layers: Sequence[Layer] | None = None) -> Iterator[None]:
    """Put the network in evaluation mode inside the block, and each layer back in its own mode after it.

    `layers` are all layers of the network, if the caller has them already.
    """
    if layers is None:
        layers = [layer for _, layer in network.named_layers()]
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode
