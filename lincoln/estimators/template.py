"""The fit of `NetworkClassifier` and `NetworkRegressor`: a copy of a network, with a loss and an optimizer of any kind."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, ClassVar

from numpy.random import RandomState
from sklearn.utils._param_validation import Interval
from torch import Tensor

from lincoln._util.tensors import inference
from lincoln._util.text import short
from lincoln.errors import ArgumentError, DataError
from lincoln.estimators.base import NetworkEstimator
from lincoln.estimators.recipe import Recipe
from lincoln.estimators.settings import CONSTRAINTS
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.losses.links import ends_unbounded
from lincoln.optim import Optimizer
from lincoln.schedules import Schedule
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.random import with_seed

Template = Layer | Callable[[int], Layer]


@dataclass(frozen=True)
class TemplateRecipe(Recipe):
    """A copy of a template, a layer or a function of the number of outputs; loss and optimizer by class or function."""

    template: Template
    make_loss: Callable[[Layer], Loss]
    make_optimizer: Callable[[Layer], Optimizer]
    schedule: Schedule | None = None

    @property
    def draws(self) -> bool:
        return True

    def network(self, features: Tensor, possible_outputs: tuple[int, ...], random: RandomState) -> tuple[Layer, int]:
        template, expected = self.template, possible_outputs[0]
        made = template if isinstance(template, Layer) else template(expected)
        if not isinstance(made, Layer):
            raise ArgumentError(f"network: {short(template)} made {short(made)}; expected a Layer")
        network = copy.deepcopy(made).to(features.device, features.dtype)
        outputs = with_seed(int(random.randint(2**31)), partial(_outputs, network, features))
        if next(network.parameters(), None) is None:
            raise ArgumentError(f"network: {short(made)} has no parameters, so there is nothing to learn")
        if outputs not in possible_outputs:
            raise DataError(
                f"network: it has {outputs} outputs, and y needs {expected}: end it in a layer of that size, or give a "
                f"function that makes a network for any number of outputs"
            )
        return network, outputs

    def loss(self, network: Layer) -> Loss:
        """Return the loss, averaged over examples; on the link's input where the network leaves the loss's link out."""
        make, kind = self.make_loss, _class_of(self.make_loss)
        if getattr(kind, "link", None) is not None and ends_unbounded(network):
            make = partial(make, from_logits=True)  # type: ignore[call-arg]  # only a Loss class has a link
        loss = bind_loss(make, network)
        loss.reduction = "mean"  # whatever the class or function chose
        loss.check_targets = False
        return loss

    def optimizer(self, network: Layer) -> Optimizer:
        return bind_optimizer(self.make_optimizer, network)

    def steps_counted(self, optimizer: Optimizer) -> int:
        return optimizer.steps


class TemplateEstimator(NetworkEstimator):
    """An estimator whose network is a template: a fit that does not continue the last works on a copy of it."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "network": [Layer, callable],
        "loss": [None, callable],
        "optimizer": [callable],
        "lr": [None, Interval(Real, 0, None, closed="neither")],
        "schedule": [None, Schedule],
    }
    _first_lr: float
    """The learning rate before any schedule changed it."""
    _scheduled: bool = False
    """True if the last fit had a schedule, which changed the optimizer's learning rate."""

    @abstractmethod
    def _default_loss(self) -> type[Loss]:
        """Return the loss where the parameter is None."""

    def _recipe(self) -> TemplateRecipe:
        optimizer = self.optimizer if self.lr is None else partial(self.optimizer, lr=self.lr)
        return TemplateRecipe(self.network, self.loss or self._default_loss(), optimizer, self.schedule)

    def _follow_parameters(self) -> None:
        self._loss = self._recipe().loss(self.network_)

    def _ready_optimizer(self, recipe: Recipe, incremental: bool) -> Optimizer:
        """Return the optimizer at the learning rate that the schedule is a factor on."""
        optimizer = super()._ready_optimizer(recipe, incremental)
        if optimizer.steps == 0:
            self._first_lr = optimizer.lr
        elif recipe.schedule is not None or self._scheduled:
            optimizer.lr = self._first_lr
        self._scheduled = recipe.schedule is not None
        return optimizer


def _class_of(make: Any) -> Any:
    """Return the class or function inside `functools.partial`."""
    while isinstance(make, partial):
        make = make.func
    return make


def _outputs(network: Layer, features: Tensor) -> int:
    with inference(True):
        outputs: int = network.eval()(features).shape[-1]
        return outputs
