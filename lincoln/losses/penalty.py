"""The L2 penalty, which draws weights to zero."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.tensors import inference
from lincoln.layers import Layer


class Penalty(Protocol):
    """A penalty on a network's weights W, as a loss uses it: the value in the forward, the gradient in the backward."""

    def squares(self) -> Tensor:
        """|W|^2, 0-d."""

    def add_gradient(self, factor: float | Tensor) -> None:
        """dL/dW <- dL/dW + factor W."""


class L2Penalty:
    """|W|^2 / 2 over all weights W of a network, with gradient W. Biases are left out.

    It works on the network's flat vectors (`Layer.flatten`): w holds all parameters, m is 1 at weights and 0 elsewhere, so
    the gradient is m w and |W|^2 = (m w) . w.
    """

    def __init__(self, network: Layer) -> None:
        self.network = network
        self._vector: Tensor | None = None  # the vector that the mask belongs to

    def squares(self) -> Tensor:
        """|W|^2, 0-d. Keeps W for `add_gradient`."""
        w, _ = self.network.flatten()
        if w is not self._vector:
            self._mask, self._vector = self._mask_for(w), w
        self._weights = self._mask * w
        return torch.dot(self._weights, w) if w.dtype not in ops.HALF else ops.total(self._weights.float() ** 2)

    def add_gradient(self, factor: float | Tensor) -> None:
        """dL/dW <- dL/dW + factor W, with the W of the last `squares`."""
        _, g = self.network.flatten()  # copies in the gradients that layers have assigned
        if isinstance(factor, Tensor):
            g.addcmul_(self._weights, factor)
        else:
            g.add_(self._weights, alpha=factor)

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles carry: the network; the mask is made again."""
        return {"network": self.network, "_vector": None}

    def _mask_for(self, w: Tensor) -> Tensor:
        """Return m: 1 where the network's vector `w` holds a weight, 0 where it holds another parameter."""
        parts = [
            torch.full((value.numel(),), float(name in layer.penalized))
            for _, layer in self.network.named_layers()
            for name, (value, _) in layer.own.items()
        ]
        with inference(False):
            return torch.cat(parts).to(w)
