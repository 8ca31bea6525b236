"""How many threads a run should use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lincoln.layers import Layer, Linear

_WORTH_SHARING = 2**23
"""Multiplications in one product from which a second thread pays. Below it threads wait for each other: a step of a
64-100-10 network at 200 examples took 1.4 to 6 times as long on two threads as on one (float64, 2 cores)."""


@contextmanager
def threads_for(network: Layer, examples: int) -> Iterator[None]:
    """One thread inside, if the products of a step on so many examples are too small to share; else as many as there are.

    Only networks of linear layers are judged. torch's own setting is put back at the end.
    """
    threads = torch.get_num_threads()
    if _largest_product(network, examples) < _WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _largest_product(network: Layer, examples: int) -> float:
    learning = [layer for _, layer in network.named_layers() if layer.learns]
    if not all(isinstance(layer, Linear) and layer.built for layer in learning):
        return float("inf")
    return max((layer.W.numel() * examples for layer in learning if isinstance(layer, Linear)), default=0)
