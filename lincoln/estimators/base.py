"""What the estimators share: from data as users have them, through lincoln's `Trainer`, to fitted attributes."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from lincoln._util.checks import as_tensor, to_numpy
from lincoln._util.tensors import chosen_device
from lincoln.callbacks import Callback
from lincoln.errors import ArgumentError, DivergenceError
from lincoln.estimators.batches import Examples, ShuffledOrder, features_for, home
from lincoln.estimators.convergence import Convergence, Curves
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.trainer import Trainer
from lincoln.training.config import TrainerConfig
from lincoln.training.history import TrainerRunResult
from lincoln.training.tally import Weights

_FITTED = ("network_", "_loss", "_optimizer", "_curves")
_CHUNK = 65536  # examples predicted at a time
_SPARSE = 0.05  # sparse products are 2 to 15 times as fast as dense ones here; from a share of 0.1 to 0.2 on, slower
_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class NetworkEstimator(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """A network as a scikit-learn estimator, trained by `Trainer`.

    A subclass makes network, loss and optimizer; `ClassifierPart` and `RegressorPart` say what targets and predictions are.
    A fit that fails leaves the estimator as it was.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "validation_data": [None, tuple, list],
        "callbacks": [None, tuple, list],
        "gradient_clip": [None, Interval(Real, 0, None, closed="neither")],
        "device": [None, str, torch.device],
        "dtype": [None, str, type, np.dtype, torch.dtype],
    }
    network_: Layer
    _at_once: bool = False
    """Whether a fit looks at all examples at once, by `_minimize`, instead of batch by batch."""
    _loss: Loss
    _optimizer: Optimizer | None = None

    # ---- What a subclass says

    @abstractmethod
    def _new_network(self, features: Tensor, outputs: int, random: RandomState) -> Layer:
        """A network with initial weights. `features`, (1, n_features), is where and in the dtype that it shall be."""

    @abstractmethod
    def _new_loss(self, network: Layer) -> Loss:
        """The loss that it is trained on, averaged over examples, without a look at the targets."""

    @abstractmethod
    def _new_optimizer(self, network: Layer) -> Optimizer: ...

    @abstractmethod
    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Features and labels as arrays, the features perhaps CSR; `reset` if they are the first."""

    @abstractmethod
    def _learn_labels(self, y: np.ndarray, incremental: bool) -> None:
        """Note what the labels are like, or see that they are as before."""

    @abstractmethod
    def _refuse_unknown(self, y: np.ndarray) -> None:
        """ValueError for labels that are not among those of the training data."""

    @abstractmethod
    def _encode(self, y: np.ndarray) -> Tensor:
        """Labels as targets."""

    @abstractmethod
    def _outputs_for(self, targets: Tensor) -> int:
        """How many outputs a network for these targets needs."""

    @abstractmethod
    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        """What each example's class weighs, if that was asked for."""

    @abstractmethod
    def _score_of(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> float:
        """What `score` would give, for targets and the network's predictions."""

    @abstractmethod
    def _strata(self, targets: Tensor) -> np.ndarray | None:
        """What a split for early stopping should keep in proportion."""

    # ---- Fitting

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network to features X (n, n_features), an array, a frame or a sparse matrix, and targets y.

        Each example's loss is multiplied by its `sample_weight`, (n,). Returns self. Raises ValueError (an
        InvalidParameterError for a parameter) for what cannot be learned from, and then leaves the estimator as it was.
        """
        with self._unchanged_if_it_fails():
            return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool = False) -> Self:
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        goes_on = hasattr(self, "network_") and (incremental or self.warm_start)
        X, y = self._validated(X, y, reset=not goes_on)
        self._learn_labels(y, incremental)
        targets = self._encode(y)
        weights = self._weights(X, y, sample_weight, incremental)
        random = check_random_state(self.random_state)
        if goes_on:
            self._bring_up_to_date()
            self._move_to(chosen_device(self.device), _dtype(self.dtype))
            self._follow_parameters()
        else:
            self._begin(X, targets, random)
        examples = Examples(X, self._matched(targets), weights)
        if self._at_once:
            self._minimize(examples)
        else:
            self._train(examples, random, incremental)
        return self

    def _begin(self, X: Any, targets: Tensor, random: RandomState) -> None:
        """A network for these data, and nothing seen yet."""
        one = X[:1].toarray() if issparse(X) else np.ascontiguousarray(X[:1])
        features = as_tensor("X", one).to(self._dtype_for(X)).to(chosen_device(self.device))
        self._curves = Curves()
        self._optimizer = None
        self._few_entries = issparse(X) and X.nnz < _SPARSE * X.shape[0] * X.shape[1]
        self.n_outputs_ = self._outputs_for(targets)
        self.network_ = self._new_network(features, self.n_outputs_, random)
        self._loss = self._new_loss(self.network_)

    def _train(self, examples: Examples, random: RandomState, incremental: bool) -> None:
        """Epochs until convergence, or one if `incremental`; then the fitted attributes."""
        examples, held_out = self._split(examples, random)
        if self._optimizer is None or not incremental:
            self._optimizer = self._new_optimizer(self.network_)
        curves = self._curves.copy()
        convergence = Convergence(curves, self.early_stopping, self._averaged_outputs(), **self._convergence())
        trainer = self._trainer(examples, held_out, convergence, random, 1 if incremental else int(self.max_iter))
        with self._weights_back_if_it_fails(self._optimizer):
            self._run(trainer)
        if self.early_stopping and curves.best_weights is not None:
            curves.best_weights.put_back(self.network_)
        if not (incremental or trainer.stopping) and trainer.history.epochs == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                f"converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )
        self._curves = curves
        self._publish(trainer.history)

    def _minimize(self, examples: Examples) -> None:
        raise NotImplementedError

    def _trainer(
        self, examples: Examples, held_out: Examples | None, convergence: Convergence, random: RandomState, epochs: int
    ) -> Trainer:
        assert self._optimizer is not None
        size = self._batch_size(len(examples))
        order = ShuffledOrder(random) if self.shuffle else None
        return Trainer(
            self.network_,
            self._config(epochs, size, self._seed(random)),
            self._loss,
            self._optimizer,
            examples.batches(size, self.network_, order),
            None if held_out is None else held_out.whole(_CHUNK, self.network_),
            [convergence, *self._checked_callbacks()],
            metric=None if held_out is None else self._metric(held_out),
        )

    def _config(self, epochs: int, batch_size: int, seed: int | None) -> TrainerConfig:
        return TrainerConfig(epochs, batch_size, _CHUNK, seed=seed, clip_norm=self.gradient_clip, progress=None)

    def _run(self, trainer: Trainer) -> None:
        try:
            trainer.train()
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        except DivergenceError as error:
            raise ValueError(f"{_NOT_FINITE} ({error})") from error
        finally:
            trainer.model.eval()

    def _publish(self, history: TrainerRunResult) -> None:
        """The fitted attributes that every estimator has."""
        curves, scored = self._curves, self.early_stopping
        self.history_ = history
        self.n_iter_ = history.epochs
        self.t_ = curves.seen
        self.loss_curve_ = curves.losses
        self.loss_ = curves.losses[-1] if curves.losses else np.float64(np.nan)
        self.best_loss_ = None if scored else np.float64(curves.best_loss)
        self.validation_loss_curve_ = curves.validation_losses or None
        self.validation_scores_ = curves.scores or None
        self.best_validation_score_ = curves.best_score if curves.scores else None

    # ---- Predicting

    def _predictions(self, X: Any) -> np.ndarray:
        """What the network predicts, (n, outputs): probabilities where its loss has a link."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        self._bring_up_to_date()
        with torch.inference_mode():
            parts = (X[start : start + _CHUNK] for start in range(0, X.shape[0], _CHUNK))
            return to_numpy(torch.cat([self._loss.predict(features_for(self.network_, part)) for part in parts]))

    def _bring_up_to_date(self) -> None:
        """Take in what was changed on the outside since the last fit."""

    def _follow_parameters(self) -> None:
        """Parameters may have been set since the last fit, which this one goes on from."""

    def _move_to(self, device: torch.device, dtype: torch.dtype | None = None) -> None:
        if home(self.network_) != (dtype or home(self.network_)[0], device):
            self.network_.to(device, dtype)

    # ---- Data and settings

    def _weights(self, X: Any, y: np.ndarray, sample_weight: Any, incremental: bool) -> Tensor | None:
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        by_class = self._class_weights(y, incremental)
        if by_class is not None:
            weights = by_class if weights is None else weights * by_class
        if weights is not None and weights.min() < 0:
            raise ValueError("Negative values in sample_weight or class_weight; expected 0 or more")
        return None if weights is None else as_tensor("sample_weight", weights)

    def _split(self, examples: Examples, random: RandomState) -> tuple[Examples, Examples | None]:
        """What to train on, and what to hold out for scores, if anything."""
        if self.validation_data is not None:
            return examples, self._held_out()
        if not self.early_stopping:
            return examples, None
        rows = train_test_split(
            np.arange(len(examples)),
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._strata(examples.targets),
        )
        return examples[rows[0]], _of_two_or_more(examples[rows[1]])

    def _held_out(self) -> Examples:
        """`validation_data` as examples."""
        if len(self.validation_data) not in (2, 3):
            raise ValueError(
                f"validation_data has {len(self.validation_data)} parts; expected (X, y) or (X, y, sample_weight)"
            )
        X, y, *weights = self.validation_data
        X, y = self._validated(X, y, reset=False)
        self._refuse_unknown(y)
        held_out = Examples(
            X, self._matched(self._encode(y)), self._weights(X, y, weights[0] if weights else None, incremental=False)
        )
        return _of_two_or_more(held_out)

    def _metric(self, held_out: Examples) -> Any:
        def score(targets: Tensor, predictions: Tensor) -> float:
            return self._score_of(targets, predictions, held_out.weights)

        return score

    def _batch_size(self, examples: int) -> int:
        if self.batch_size == "auto":
            return min(200, examples)
        if self.batch_size > examples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=7
            )
        return int(min(self.batch_size, examples))

    def _checked_callbacks(self) -> list[Callback]:
        for callback in self.callbacks or ():
            if not isinstance(callback, Callback):
                raise InvalidParameterError(f"callbacks holds {callback!r}; expected instances of lincoln.Callback")
        return list(self.callbacks or ())

    def _convergence(self) -> dict[str, Any]:
        return {"tol": self.tol, "patience": self.n_iter_no_change, "verbose": bool(self.verbose)}

    def _averaged_outputs(self) -> int:
        """Over how many outputs the reported loss is an average, though the loss itself is their sum."""
        return 1

    def _seed(self, random: RandomState) -> int | None:
        """A seed for what the training draws from torch, if it draws anything."""
        return None

    def _matched(self, targets: Tensor) -> Tensor:
        """`targets` as the loss wants them; ValueError for what it cannot be taught."""
        kind, _ = home(self.network_)
        matched = self._loss.match(torch.empty(1, 1, dtype=kind).expand(len(targets), self.n_outputs_), targets)
        self._loss.check(matched, self.n_outputs_)
        return matched

    def _dtype_for(self, X: Any) -> torch.dtype:
        """The dtype to work in: the one asked for, else float32 for X in float32, else float64."""
        return _dtype(self.dtype) or _DTYPES[X.dtype.name]

    # ---- State

    @contextmanager
    def _unchanged_if_it_fails(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    @contextmanager
    def _weights_back_if_it_fails(self, optimizer: Optimizer | None = None) -> Iterator[None]:
        """A fit that goes on works on the fitted network itself."""
        weights, state = Weights.of(self.network_), optimizer.state_dict() if optimizer else {}
        try:
            yield
            if not math.isfinite(self.network_.flatten()[0].abs().max().item()):
                raise ValueError(_NOT_FINITE)
        except BaseException:
            weights.put_back(self.network_)
            if optimizer is not None:
                optimizer.load_state_dict(state)
            raise

    def __getstate__(self) -> dict[str, Any]:
        """What was fitted comes along on the CPU, so that it can be loaded where there is no GPU."""
        if hasattr(self, "network_"):
            self._bring_up_to_date()
        state: dict[str, Any] = dict(super().__getstate__())
        if "network_" in state:
            state |= copy.deepcopy({name: state[name] for name in _FITTED})  # together: they share the network
            state["network_"].to("cpu")
            if state["_optimizer"] is not None:
                state["_optimizer"].to("cpu")
            if state["_curves"].best_weights is not None:
                state["_curves"].best_weights = state["_curves"].best_weights.to("cpu")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            with suppress(ArgumentError):  # back on the GPU, if there is one here
                self._move_to(chosen_device(self.device))


def _of_two_or_more(held_out: Examples) -> Examples:
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return held_out


def arguments(scope: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the `__init__` whose `locals()` these are.

    Each estimator spells its parameters out because `get_params` and `clone` read them off that signature.
    """
    return {name: value for name, value in scope.items() if name not in ("self", "__class__")}


def _dtype(given: Any) -> torch.dtype | None:
    """float32 or float64 as torch has it, by whatever name."""
    if given is None:
        return None
    try:
        name = np.dtype(str(given).removeprefix("torch.") if isinstance(given, torch.dtype) else given).name
    except TypeError:
        name = str(given)
    if name not in _DTYPES:
        raise ArgumentError(f"dtype is {given!r}; expected float32 or float64, or None for float32 if X is, else float64")
    return _DTYPES[name]
