"""What `MLPClassifier` and `MLPRegressor` share: hidden layers of one kind, and scikit-learn's solvers."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.optimize import _check_optimize_result
from torch import Tensor

from lincoln._util.checks import as_tensor, to_numpy
from lincoln.estimators.base import NetworkEstimator
from lincoln.estimators.batches import Examples, home
from lincoln.estimators.convergence import averaged
from lincoln.layers import Dense, Dropout, Layer, Linear, Sequential, SparseLinear
from lincoln.losses import CrossEntropy, LogLoss, Loss, PoissonLoss, SquaredError
from lincoln.optim import AdamHat, Momentum, Optimizer
from lincoln.optim.lbfgs import minimize
from lincoln.training.history import TrainerRunResult

_ACTIVATIONS = {"identity": None, "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_OUTPUTS = {"identity": None, "exp": "exp", "logistic": "sigmoid", "softmax": "softmax"}


class Perceptron(NetworkEstimator):
    """Hidden layers of one kind, trained by one of scikit-learn's solvers; initial weights are those that it would draw."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkEstimator._parameter_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(_ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }
    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    out_activation_: str

    # ---- The network and its parameters

    def _sizes(self) -> list[int]:
        given = self.hidden_layer_sizes
        sizes = list(given) if hasattr(given, "__iter__") else [given]
        if not all(isinstance(size, Integral) and not isinstance(size, bool) for size in sizes):
            raise InvalidParameterError(f"hidden_layer_sizes must be integers, got {sizes}.")
        if not all(int(size) > 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return sizes

    def _layers(self, outputs: int) -> Sequential:
        """The network, without weights."""
        layers: list[Any] = []
        for size in self._sizes():
            layers.append(Dense(size, _ACTIVATIONS[self.activation]))
            if self.dropout:
                layers.append(Dropout(self.dropout))
        layers.append(Dense(outputs, _OUTPUTS[self.out_activation_]))
        if self._few_entries:
            first = layers[0]
            layers[0] = Sequential(linear=SparseLinear(first.size), activation=first["activation"])
        return Sequential(*layers)

    def _new_network(self, features: Tensor, outputs: int, random: RandomState) -> Layer:
        self.out_activation_ = self._out_activation()
        network = self._layers(outputs).to(features.device, features.dtype)
        coefs, intercepts = [], []
        units = [features.shape[1], *self._sizes(), outputs]
        for fan_in, fan_out in pairwise(units):
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (fan_in + fan_out))
            coefs.append(random.uniform(-bound, bound, (fan_in, fan_out)))
            intercepts.append(random.uniform(-bound, bound, fan_out))
        _fill(network, coefs, intercepts)
        self.n_layers_ = len(units)
        self._made_from = self._design()
        return network

    def _begin(self, X: Any, targets: Tensor, random: RandomState) -> None:
        super()._begin(X, targets, random)
        self._show_parameters()

    def _new_loss(self, network: Layer) -> Loss:
        kinds: dict[str, type[Loss]] = {
            "logistic": LogLoss,
            "softmax": CrossEntropy,
            "identity": SquaredError,
            "exp": PoissonLoss,
        }
        return kinds[self.out_activation_](network, reduction="mean", l2=float(self.alpha), check_targets=False)

    def _new_optimizer(self, network: Layer) -> Optimizer:
        lr = float(self.learning_rate_init)  # float(), because scikit-learn takes True for 1, which an optimizer refuses
        if self.solver == "sgd":
            return Momentum(network, lr, float(self.momentum), bool(self.nesterovs_momentum))
        return AdamHat(network, lr, (float(self.beta_1), float(self.beta_2)), float(self.epsilon))

    def _bring_up_to_date(self) -> None:
        """Take in coefficients that were assigned (`mlp.coefs_ = ...`) instead of written in place."""
        given = [*self.coefs_, *self.intercepts_]
        if len(given) != len(self._shown) or any(a is not b for a, b in zip(given, self._shown, strict=True)):
            expected = [np.shape(array) for array in self._shown]
            found = [np.shape(array) for array in given]
            if found != expected:
                raise ValueError(f"coefs_ and intercepts_ have shapes {found}; the network's are {expected}")
            for linear, coef, intercept in zip(_linears(self.network_), self.coefs_, self.intercepts_, strict=True):
                linear.W.copy_(as_tensor("coefs_", coef))
                linear.own["B"][0].copy_(as_tensor("intercepts_", intercept))
            self._show_parameters()
        elif self._moved():
            self._show_parameters()

    def _design(self) -> tuple[Any, ...]:
        """The parameters that network and loss are made from."""
        return (*self._sizes(), self.activation, self.dropout, self.alpha, getattr(self, "loss", None))

    def _follow_parameters(self) -> None:
        if self._design() == self._made_from:
            return
        units = [self.n_features_in_, *self._sizes(), self.n_outputs_]
        if [coef.shape for coef in self.coefs_] != list(pairwise(units)):
            raise ValueError(f"a fit that goes on from the last cannot change hidden_layer_sizes, now {units[1:-1]}")
        kind, device = home(self.network_)
        self.out_activation_ = self._out_activation()
        self._rebuild(self._layers(self.n_outputs_).to(device, kind))

    def _rebuild(self, layers: Layer) -> None:
        """The same weights in other layers; the optimizer goes on with them."""
        _fill(layers, self.coefs_, self.intercepts_)
        self.network_ = layers
        self._loss = self._new_loss(layers)
        self._made_from = self._design()
        if self._optimizer is not None:
            state, self._optimizer = self._optimizer.state_dict(), copy(self._optimizer)
            self._optimizer.network = layers
            self._optimizer.load_state_dict(state)
        self._show_parameters()

    def _show_parameters(self) -> None:
        """`coefs_` and `intercepts_`: on the CPU the network's own memory, elsewhere copies that cannot be written to."""
        self.network_.flatten()  # from here on their memory stays where it is
        linears = _linears(self.network_)
        self.coefs_ = [_shown(linear.W) for linear in linears]
        self.intercepts_ = [_shown(linear.own["B"][0])[0] for linear in linears]
        self._shown = [*self.coefs_, *self.intercepts_]
        self._address = linears[0].W.data_ptr()

    def _moved(self) -> bool:
        """Whether the network lies elsewhere since its parameters were shown, as after `network_.to(...)`."""
        return _linears(self.network_)[0].W.data_ptr() != self._address

    def __getstate__(self) -> dict[str, Any]:
        """Without what is shown of the network."""
        hidden = ("coefs_", "intercepts_", "_shown", "_address")
        return {name: value for name, value in super().__getstate__().items() if name not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            self._show_parameters()

    def _publish(self, history: TrainerRunResult) -> None:
        super()._publish(history)
        if self._moved() or home(self.network_)[1].type != "cpu":
            self._show_parameters()

    # ---- Fitting

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def _convergence(self) -> dict[str, Any]:
        rules = super()._convergence()
        if self.solver == "sgd" and self.learning_rate == "adaptive":
            rules["adaptive"] = True
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            rules["rate"] = lambda seen: self.learning_rate_init / (seen + 1) ** self.power_t
        return rules

    def _seed(self, random: RandomState) -> int | None:
        return (int(random.randint(2**31)) + self._curves.seen) % 2**31 if self.dropout else None

    @property
    def _at_once(self) -> bool:  # type: ignore[override]
        return bool(self.solver == "lbfgs")

    def _minimize(self, examples: Examples) -> None:
        """L-BFGS on all examples at once."""
        for name in ("dropout", "gradient_clip", "callbacks", "validation_data"):
            if getattr(self, name):
                raise ValueError(f"{name} is for the solvers sgd and adam, which train in epochs; solver is 'lbfgs'")
        ((features, targets, *weights),) = examples.batches(len(examples), self.network_)
        with self._weights_back_if_it_fails():
            result = minimize(
                self._loss, features, targets, weights[0] if weights else None, self.max_iter, self.max_fun, self.tol
            )
        self.network_.eval()
        self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        self.loss_ = np.float64(averaged(result.fun, float(self._loss.penalty), self._averaged_outputs()))
        self.t_ = self._curves.seen
        self.history_ = TrainerRunResult([self.loss_], steps=result.nit, stopped=str(result.message))
        self._show_parameters()

    def _dtype_for(self, X: Any) -> torch.dtype:
        """L-BFGS compares losses that differ little: float64, unless something else is asked for."""
        return torch.float64 if self.solver == "lbfgs" and self.dtype is None else super()._dtype_for(X)


def _linears(network: Layer) -> list[Linear]:
    return [layer for _, layer in network.named_layers() if isinstance(layer, Linear)]


def _fill(network: Layer, coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> None:
    for linear, coef, intercept in zip(_linears(network), coefs, intercepts, strict=True):
        linear.register({"W": as_tensor("coefs_", coef), "B": as_tensor("intercepts_", intercept).reshape(1, -1)})


def _shown(parameter: Tensor) -> np.ndarray:
    array = to_numpy(parameter)
    if parameter.device.type != "cpu":
        array.flags.writeable = False
    return array
