"""Evaluation mode inside a with block."""

from __future__ import annotations

from collections.abc import Sequence

from lincoln.layers.layer import Layer


class evaluating:
    """Put the network in evaluation mode inside the block, and each layer back in its own mode after it.

    `layers` are all layers of the network, if the caller has them already.
    """

    def __init__(self, network: Layer, layers: Sequence[Layer] | None = None) -> None:
        layers = [layer for _, layer in network.named_layers()] if layers is None else layers
        self._modes = [(layer, layer.training) for layer in layers]

    def __enter__(self) -> None:
        try:
            for layer, _ in self._modes:
                layer.training = False
        except BaseException:  # an interrupt
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        for layer, mode in self._modes:
            layer.training = mode
