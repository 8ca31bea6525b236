"""The loss and the optimizer of a Classifier that is not given any."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lincoln.layers import Layer
from lincoln.losses import CrossEntropy, LogLoss, Loss
from lincoln.losses.links import ends_exclusive
from lincoln.training.binding import bind_loss

LossArgument = Loss | Callable[[Layer], Loss]


def classifier_loss(network: Layer, loss: LossArgument | None, default_optimizer: bool) -> Loss:
    """Return the loss of a Classifier: the given one, `CrossEntropy` if the network ends in a softmax, or `LogLoss`.

    With the default optimizer, whose learning rate is made for sums, a class adds up over the batch, unless a
    `functools.partial` of it names the reduction. Functions and instances are left as they are.
    """
    given: Any = loss if loss is not None else CrossEntropy if ends_exclusive(network) else LogLoss
    bound = bind_loss(given, network)
    if default_optimizer and _leaves_reduction_open(given):
        bound.reduction = "sum"
    return bound


def _leaves_reduction_open(given: Any) -> bool:
    while isinstance(given, partial):
        if "reduction" in given.keywords or given.args:
            return False
        given = given.func
    return isinstance(given, type)
