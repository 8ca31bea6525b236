"""The fit of `MLPClassifier` and `MLPRegressor`: hidden layers of one kind, and scikit-learn's solvers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.optimize import _check_optimize_result

from lincoln.estimators.base import NetworkEstimator
from lincoln.estimators.batches import Examples
from lincoln.estimators.coefficients import Coefficients, fill
from lincoln.estimators.perceptron_recipe import ACTIVATIONS, PerceptronRecipe, hidden_sizes
from lincoln.estimators.recipe import Recipe
from lincoln.estimators.reported_loss import averaged
from lincoln.estimators.running import weights_kept_on_failure
from lincoln.estimators.settings import CONSTRAINTS
from lincoln.layers import Layer
from lincoln.optim import AdamHat, Momentum, Optimizer
from lincoln.optim.lbfgs import minimize
from lincoln.training.history import TrainerRunResult

_FEW = 0.05  # the share of entries that are not zero up to which sparse products are used (docs/performance.md)


class Perceptron(NetworkEstimator):
    """Hidden layers of one kind, trained by one of scikit-learn's solvers from the initial weights it would draw.

    `coefs_` and `intercepts_` show the network's parameters; arrays assigned to them are copied into the network before
    the next prediction or fit.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
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
    _made_by: PerceptronRecipe
    _make_optimizer: Callable[[Layer], Optimizer]

    @abstractmethod
    def _out_activation(self) -> str:
        """Return scikit-learn's name of the activation of the output, for the present parameters."""

    def _recipe(self) -> PerceptronRecipe:
        sgd = self.solver == "sgd"
        inverse = sgd and self.learning_rate == "invscaling"
        return PerceptronRecipe(
            hidden_sizes(self.hidden_layer_sizes),
            self.activation,
            self._out_activation(),
            self.dropout,
            self.alpha,
            self._sparse_input,
            self._solver(),
            dtype=torch.float64 if self.solver == "lbfgs" else None,  # it compares losses that differ little
            rate=partial(_inverse_scaling, self.learning_rate_init, self.power_t) if inverse else None,
            adaptive=sgd and self.learning_rate == "adaptive",
        )

    def _solver(self) -> Callable[[Layer], Optimizer]:
        """Return the class of the optimizer with its settings, as floats: scikit-learn takes True for 1."""
        lr = float(self.learning_rate_init)
        if self.solver == "sgd":
            return partial(Momentum, lr=lr, momentum=float(self.momentum), nesterov=bool(self.nesterovs_momentum))
        return partial(AdamHat, lr=lr, betas=(float(self.beta_1), float(self.beta_2)), eps=float(self.epsilon))

    def _make_network(self, X: Any, random: RandomState) -> None:
        self._sparse_input = issparse(X) and X.nnz < _FEW * X.shape[0] * X.shape[1]
        super()._make_network(X, random)
        self._made_by = self._recipe()
        self.out_activation_ = self._made_by.out_activation
        self.n_layers_ = len(self._made_by.sizes) + 2
        self._show_coefficients()

    def _follow_parameters(self) -> None:
        """Give the weights to other layers, and these to the optimizer, if parameters of the network were set."""
        recipe = self._recipe()
        if recipe == self._made_by:
            return
        units = [self.n_features_in_, *recipe.sizes, self.n_outputs_]
        if [coef.shape for coef in self.coefs_] != list(pairwise(units)):
            raise ValueError(f"a fit that continues the last cannot change hidden_layer_sizes, now {units[1:-1]}")
        network = recipe.layers(self.n_outputs_).to(*self.network_.where)
        fill(network, self.coefs_, self.intercepts_)
        self.network_, self._made_by, self.out_activation_ = network, recipe, recipe.out_activation
        self._loss = recipe.loss(network)
        if self._optimizer is not None:
            state, self._optimizer = self._optimizer.state_dict(), self._make_optimizer(network)
            self._optimizer.load_state_dict(state)
        self._show_coefficients()

    def _ready_optimizer(self, recipe: Recipe, incremental: bool) -> Optimizer:
        optimizer = super()._ready_optimizer(recipe, incremental)
        if optimizer is not self._optimizer:
            self._make_optimizer = self._solver()  # to make it once more for other layers, whatever the solver is by then
        return optimizer

    def _train(self, examples: Examples, random: RandomState, incremental: bool) -> None:
        if self.solver == "lbfgs":
            self._minimize(examples)
            return
        super()._train(examples, random, incremental)
        if self._coefficients.moved(self.network_) or self.network_.where[0] != torch.device("cpu"):
            self._show_coefficients()

    def _minimize(self, examples: Examples) -> None:
        """Fit by L-BFGS to all examples at once."""
        for name in ("dropout", "gradient_clip", "callbacks", "validation_data"):
            if getattr(self, name):
                raise ValueError(f"{name} is for the solvers sgd and adam, which train in epochs; solver is 'lbfgs'")
        ((features, targets, *weights),) = examples.batches(len(examples), self.network_)
        weight = weights[0] if weights else None
        with weights_kept_on_failure(self.network_):
            result = minimize(self._loss, features, targets, weight, self.max_iter, self.max_fun, self.tol)
        self.network_.eval()
        outputs = self._made_by.averaged_outputs(self.n_outputs_)
        self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        self.loss_ = np.float64(averaged(result.fun, float(self._loss.penalty), outputs))
        self.t_ = self._curves.seen
        self.history_ = TrainerRunResult([self.loss_], steps=result.nit, stopped=str(result.message))
        self._show_coefficients()

    def _update_network(self) -> None:
        if not self._coefficients.same_as(self.coefs_, self.intercepts_):
            self._coefficients.assign(self.network_, self.coefs_, self.intercepts_)
            self._show_coefficients()
        elif self._coefficients.moved(self.network_):
            self._show_coefficients()

    def _show_coefficients(self) -> None:
        self._coefficients = Coefficients(self.network_)
        self.coefs_, self.intercepts_ = list(self._coefficients.coefs), list(self._coefficients.intercepts)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the arrays that show the network's parameters."""
        hidden = ("coefs_", "intercepts_", "_coefficients")
        return {name: value for name, value in super().__getstate__().items() if name not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            self._show_coefficients()


def _inverse_scaling(rate: float, power: float, examples: int) -> float:
    """Return rate / (examples + 1)^power."""
    return rate / float((examples + 1) ** power)
