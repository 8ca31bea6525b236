"""Any network of lincoln's as a scikit-learn estimator: `NetworkClassifier` and `NetworkRegressor`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import torch
from numpy.random import RandomState
from sklearn.utils._param_validation import Interval
from torch import Tensor

from lincoln.errors import ArgumentError, DataError
from lincoln.estimators.base import NetworkEstimator, arguments
from lincoln.estimators.batches import Examples
from lincoln.estimators.convergence import Convergence
from lincoln.estimators.targets import ClassifierPart, RegressorPart
from lincoln.layers import Layer
from lincoln.losses import MSE, CrossEntropy, LogLoss, Loss
from lincoln.losses.links import ends_unbounded
from lincoln.optim import Adam, Optimizer
from lincoln.schedules import Schedule
from lincoln.trainer import Trainer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.random import seeded

Template = Layer | Callable[[int], Layer]


class TemplateEstimator(NetworkEstimator):
    """The network is a template: every fit that starts anew works on a copy of it."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkEstimator._parameter_constraints,
        "network": [Layer, callable],
        "loss": [None, callable],
        "optimizer": [callable],
        "lr": [None, Interval(Real, 0, None, closed="neither")],
        "schedule": [None, Schedule],
    }

    _scheduled: bool = False
    """Whether the last fit had a schedule, which has left its mark on the learning rate."""

    def _new_network(self, features: Tensor, outputs: int, random: RandomState) -> Layer:
        made = self.network if isinstance(self.network, Layer) else self.network(outputs)
        if not isinstance(made, Layer):
            raise ArgumentError(f"network: {self.network!r} made {made!r}; expected a Layer")
        network = copy.deepcopy(made).to(features.device, features.dtype)
        with seeded(int(random.randint(2**31))), torch.inference_mode():
            self.n_outputs_ = network.eval()(features).shape[-1]
        if next(network.parameters(), None) is None:
            raise ArgumentError(f"network: {made!r} has no parameters, so there is nothing to learn")
        self._refuse_outputs(outputs)
        return network

    def _refuse_outputs(self, expected: int) -> None:
        if self.n_outputs_ != expected:
            raise DataError(
                f"network: it has {self.n_outputs_} outputs, and y needs {expected}: end it in a layer of that size, or "
                f"give a function that makes a network for any number of outputs"
            )

    def _follow_parameters(self) -> None:
        self._loss = self._new_loss(self.network_)

    def _new_optimizer(self, network: Layer) -> Optimizer:
        make = self.optimizer if self.lr is None else partial(self.optimizer, lr=self.lr)
        return bind_optimizer(make, network)

    def _config(self, epochs: int, batch_size: int, seed: int | None) -> TrainerConfig:
        return replace(super()._config(epochs, batch_size, seed), schedule=self.schedule)

    def _trainer(
        self, examples: Examples, held_out: Examples | None, convergence: Convergence, random: RandomState, epochs: int
    ) -> Trainer:
        """A schedule goes on where the last `partial_fit` left it."""
        assert self._optimizer is not None
        if self._optimizer.steps == 0:
            self._first_lr = self._optimizer.lr
        elif self.schedule is not None or self._scheduled:
            self._optimizer.lr = self._first_lr
        self._scheduled = self.schedule is not None
        trainer = super()._trainer(examples, held_out, convergence, random, epochs)
        trainer.history.steps = self._optimizer.steps
        return trainer

    def _seed(self, random: RandomState) -> int:
        return (int(random.randint(2**31)) + self._curves.seen) % 2**31

    def _check_solver(self) -> bool:
        return True


class NetworkClassifier(ClassifierPart, TemplateEstimator):
    """Any network of lincoln's as a scikit-learn classifier.

    - `network`: a template, a layer that every fit copies and never changes; or a function that makes a layer for a number
      of outputs, which then suits any y. It has one output for two classes (or two), one for each of several classes, or
      one for each label. It may end in a sigmoid or softmax, or leave that to the loss. A template that has its weights
      already (it was trained before, say) starts from them.
    - `loss`: a loss class of lincoln's, or a function that makes one from a network; None is `LogLoss` for one output or
      several labels, `CrossEntropy` for classes. It is averaged over examples.
    - `optimizer`: a class, or a function that makes one from a network, such as `functools.partial(SGD, momentum=0.9)`;
      `lr` its learning rate, apart so that a search can vary it; `schedule` a factor on it, step by step
      (`lincoln.schedules`).

    The other parameters and the fitted attributes are those of `MLPClassifier`, but for `coefs_`, `intercepts_`,
    `n_layers_` and `out_activation_`: the fitted network is `network_`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TemplateEstimator._parameter_constraints,
        **ClassifierPart._parameter_constraints,
    }

    def __init__(
        self,
        network: Template,
        *,
        loss: Callable[[Layer], Loss] | None = None,
        optimizer: Callable[[Layer], Optimizer] = Adam,
        lr: float | None = None,
        schedule: Schedule | None = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        class_weight: Any = None,
        validation_data: Any = None,
        callbacks: Any = None,
        gradient_clip: float | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.__dict__.update(arguments(locals()))

    def _new_loss(self, network: Layer) -> Loss:
        default = CrossEntropy if self._kind != "multilabel-indicator" and self.n_outputs_ > 1 else LogLoss
        return _averaged(self.loss or default, network)

    def _refuse_outputs(self, expected: int) -> None:
        if not (self._kind == "binary" and self.n_outputs_ == 2):  # two classes, as likely by softmax as by sigmoid
            super()._refuse_outputs(expected)


class NetworkRegressor(RegressorPart, TemplateEstimator):
    """Any network of lincoln's as a scikit-learn regressor, with one output for each target.

    `loss` is `MSE` if None. The parameters are those of `NetworkClassifier`, without class weights.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = TemplateEstimator._parameter_constraints

    def __init__(
        self,
        network: Template,
        *,
        loss: Callable[[Layer], Loss] | None = None,
        optimizer: Callable[[Layer], Optimizer] = Adam,
        lr: float | None = None,
        schedule: Schedule | None = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        validation_data: Any = None,
        callbacks: Any = None,
        gradient_clip: float | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.__dict__.update(arguments(locals()))

    def _new_loss(self, network: Layer) -> Loss:
        return _averaged(self.loss or MSE, network)


def _averaged(make: Callable[[Layer], Loss], network: Layer) -> Loss:
    """The loss that `make` makes, averaged over examples; on logits where the network leaves the loss's link out."""
    kind: Any = make
    while isinstance(kind, partial):
        kind = kind.func
    if getattr(kind, "link", None) is not None and ends_unbounded(network):
        make = partial(make, from_logits=True)  # type: ignore[call-arg]  # only a Loss class has a link
    loss = bind_loss(make, network)
    loss.reduction = "mean"
    loss.check_targets = False
    return loss
