"""Any network as a scikit-learn estimator: `NetworkClassifier` and `NetworkRegressor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lincoln.estimators.classifier import ClassifierMethods
from lincoln.estimators.regressor import RegressorMethods
from lincoln.estimators.settings import CLASS_CONSTRAINTS
from lincoln.estimators.template import Template, TemplateEstimator
from lincoln.layers import Layer
from lincoln.losses import MSE, CrossEntropy, LogLoss, Loss
from lincoln.optim import Adam, Optimizer
from lincoln.schedules import Schedule


class NetworkClassifier(ClassifierMethods, TemplateEstimator):
    """Any network as a scikit-learn classifier.

    - `network`: a template, a layer that every fit copies and never changes; or a function that makes a layer for a number
      of outputs, which then fits any y. It has one output for two classes (or two), one for each of several classes, or
      one for each label. It may end in a sigmoid or softmax, or leave that to the loss. If a template has weights, as
      after training, every fit starts from them.
    - `loss`: a loss class, or a function that makes one from a network; None is `LogLoss` for one output or several
      labels, `CrossEntropy` for classes. It is averaged over examples.
    - `optimizer`: a class, or a function that makes one from a network, such as `functools.partial(SGD, momentum=0.9)`;
      `lr` its learning rate, a parameter of its own so that a search can vary it; `schedule` a factor on it, step by step
      (`lincoln.schedules`).

    The other parameters and the fitted attributes are those of `MLPClassifier`, but for `coefs_`, `intercepts_`,
    `n_layers_` and `out_activation_`: the fitted network is `network_`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TemplateEstimator._parameter_constraints,
        **CLASS_CONSTRAINTS,
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
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.validation_data = validation_data
        self.callbacks = callbacks
        self.gradient_clip = gradient_clip
        self.device = device
        self.dtype = dtype

    def _default_loss(self) -> type[Loss]:
        return CrossEntropy if self._targets.encoding.exclusive else LogLoss


class NetworkRegressor(RegressorMethods, TemplateEstimator):
    """Any network as a scikit-learn regressor, with one output for each target.

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
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.validation_data = validation_data
        self.callbacks = callbacks
        self.gradient_clip = gradient_clip
        self.device = device
        self.dtype = dtype

    def _default_loss(self) -> type[Loss]:
        return MSE
