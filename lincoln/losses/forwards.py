"""The forwards that a loss was computed from, so that its backward is theirs and no other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lincoln.errors import StateError
from lincoln.layers import Layer, Pass


class Forwards:
    """The forward of each layer that a loss runs, noted when the loss is computed."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._watched = [layer for top in layers for _, layer in top.named_layers()]
        self._passes: list[Pass | None] = []

    def note(self) -> None:
        """Note the forwards that have just run."""
        self._passes = [layer.pending if layer.training else None for layer in self._watched]

    def refuse_stale(self, loss: str) -> None:
        """Raise StateError if a layer has run since the forwards were noted."""
        for layer, run in zip(self._watched, self._passes, strict=True):
            if layer.pending is run:
                continue
            if not layer.training:
                raise StateError(f"{layer.label} is in evaluation mode, and the network in training: it has saved nothing")
            raise StateError(
                f"{loss}: {layer.label} has run since this loss was computed, so its saved tensors are no longer those of "
                f"this loss. Compute the loss again; look at predictions in evaluation mode (network.eval()), or with "
                f"loss.predict(features)"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles carry: no forward."""
        return vars(self) | {"_passes": []}
