"""The pieces of a training loop as functions: a step of training, a step of validation, evaluation and clipping."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lincoln.engine.step import Step, clip
from lincoln.layers import Layer, evaluating
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.evaluation import evaluate

__all__ = ["clip", "evaluate", "make_train_step", "make_val_step"]


def make_train_step(
    model: Layer, loss: Loss | Callable[[Layer], Loss], optimizer: Optimizer | Callable[[Layer], Optimizer]
) -> Callable[[Tensor, Tensor], float]:
    """Return a function of (x, y) that trains `model` on that batch, in training mode, and returns the loss as a number."""
    step = Step(bind_loss(loss, model), bind_optimizer(optimizer, model))

    def train_step(x: Tensor, y: Tensor) -> float:
        model.train()
        value = step.gradient(x, y)
        step.update(0)
        return value.item()

    return train_step


def make_val_step(model: Layer, loss: Loss | Callable[[Layer], Loss]) -> Callable[[Tensor, Tensor], float]:
    """Return a function of (x, y) that returns the loss of `model` on that batch, in evaluation mode."""
    bound_loss = bind_loss(loss, model)

    def val_step(x: Tensor, y: Tensor) -> float:
        with evaluating(model):
            return bound_loss(x, y).item()

    return val_step
