"""The pieces of a training loop as functions: measure, clip, and a step of training or validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from lincoln.data import Batch
from lincoln.errors import DataError
from lincoln.layers import Layer, evaluating
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.tally import Tally


def evaluate(loss: Loss, batches: Iterable[Batch]) -> tuple[float, Tensor, Tensor]:
    """The loss per example on `batches`, with their targets and predictions; leaves no trace."""
    tally = Tally(loss)
    predictions, targets = [], []
    for batch in batches:
        value, prediction = loss.evaluate(*batch)
        tally.add(value, *batch)
        predictions.append(prediction)
        targets.append(loss.match(prediction, batch[1]))
    if not predictions:
        raise DataError("no batches to evaluate on")
    total, weight = tally.read()
    return total / weight, torch.cat(targets), torch.cat(predictions)


def clip(grads: Tensor, length: float) -> None:
    """Scale the gradient vector down to `length` in place if it is longer: g <- g min(1, length / (|g| + 1e-6)).

    As `torch.nn.utils.clip_grad_norm_`; Pascanu et al. (2013). It does not wait for the device.
    """
    norm = torch.linalg.vector_norm(grads)
    grads.mul_((length / (norm + 1e-6)).clamp(max=1.0))


def make_train_step(
    model: Layer, loss: Loss | Callable[[Layer], Loss], optimizer: Optimizer | Callable[[Layer], Optimizer]
) -> Callable[[Tensor, Tensor], float]:
    """A function of (x, y) that trains `model` on that batch, in training mode, and returns the loss as a number."""
    bound_loss, bound_optimizer = bind_loss(loss, model), bind_optimizer(optimizer, model)

    def train_step(x: Tensor, y: Tensor) -> float:
        model.train()
        value = bound_loss(x, y)
        bound_loss.backward()
        bound_optimizer.step()
        return value.item()

    return train_step


def make_val_step(model: Layer, loss: Loss | Callable[[Layer], Loss]) -> Callable[[Tensor, Tensor], float]:
    """A function of (x, y) that returns the loss of `model` on that batch, in evaluation mode, and changes nothing."""
    bound_loss = bind_loss(loss, model)

    def val_step(x: Tensor, y: Tensor) -> float:
        with evaluating(model):
            return bound_loss(x, y).item()

    return val_step
