"""The L2 penalty, which draws weights to zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lincoln.layers import Layer


class L2Penalty:
    """|W|^2 / 2 over all weights W of a network, with gradient W; biases are left alone.

    It works on the network's vectors: one product gives the gradient, and with it the value.
    """

    def __init__(self, network: Layer) -> None:
        self.network = network
        self._bound: Tensor | None = None

    def squares(self) -> Tensor:
        """|W|^2, 0-d; W is kept for `add_gradient`."""
        if torch.is_grad_enabled() and any(W.requires_grad for W in self._weights()):
            # check_gradients lets autograd look on, which must see the weights, not the vector that they lie in
            return torch.stack([(W**2).sum() for W in self._weights()]).sum()
        w, _ = self.network.flatten()
        if w is not self._bound:
            self._bind(w)
        self._only_weights = self._is_weight * w
        return torch.dot(self._only_weights, w)

    def add_gradient(self, factor: float | Tensor) -> None:
        """dL/dW <- dL/dW + factor W, with the W of the last `squares`."""
        _, g = self.network.flatten()  # which takes in gradients that layers have assigned
        if isinstance(factor, Tensor):
            g.addcmul_(self._only_weights, factor)
        else:
            g.add_(self._only_weights, alpha=factor)

    def __getstate__(self) -> dict[str, Any]:
        return {"network": self.network, "_bound": None}

    def _weights(self) -> list[Tensor]:
        return [
            getattr(layer, name)
            for _, layer in self.network.named_layers()
            for name in layer.penalized
            if name in layer.own
        ]

    def _bind(self, w: Tensor) -> None:
        """1 where the network's vector holds a weight, 0 where it holds another parameter."""
        parts = [
            torch.full((getattr(layer, name).numel(),), float(name in layer.penalized))
            for _, layer in self.network.named_layers()
            for name in layer.own
        ]
        with torch.inference_mode(False):
            self._is_weight = torch.cat(parts).to(w)
        self._bound = w
