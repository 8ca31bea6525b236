"""Predictions chunk by chunk, so that they need little more memory than a training step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lincoln.losses import Loss

CHUNK = 65536
"""Examples predicted at a time."""


def predictions(loss: Loss, chunks: Iterable[Tensor]) -> Tensor:
    """Return the predictions of the loss's network for all chunks of features: probabilities if the loss has a link."""
    return torch.cat([loss.predict(chunk) for chunk in chunks])
