"""The fit that all estimators share: from data as users have them, through `Trainer`, to fitted attributes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from torch import Tensor

from lincoln._util.tensors import chosen_device, inference
from lincoln._util.userdata import as_tensor, without_tensors
from lincoln.estimators.batches import Examples, ShuffledOrder, features_for
from lincoln.estimators.convergence import Convergence
from lincoln.estimators.curves import Curves
from lincoln.estimators.data import batch_size, columns_named, example_weights, is_plain, split, two_or_more
from lincoln.estimators.recipe import Recipe
from lincoln.estimators.reported_loss import ReportedLoss
from lincoln.estimators.running import run, warn, weights_kept_on_failure
from lincoln.estimators.settings import CONSTRAINTS, checked_callbacks, torch_dtype
from lincoln.estimators.state import FittedState
from lincoln.estimators.targets import Targets
from lincoln.models.encoding import Encoding
from lincoln.models.predicting import CHUNK, chunks, predictions
from lincoln.optim import Optimizer
from lincoln.trainer import Trainer
from lincoln.training.config import TrainerConfig
from lincoln.training.history import TrainerRunResult

_FLOATS = [np.float64, np.float32]


class NetworkEstimator(FittedState, ABC):
    """A network as a scikit-learn estimator, trained by `Trainer`.

    A `Recipe` makes network, loss and optimizer from the parameters; `Targets` says what y holds. A fit that fails leaves
    the estimator as it was.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    _target_kind: type[Targets]
    _targets: Targets
    class_weight: Any = None

    @abstractmethod
    def _recipe(self) -> Recipe:
        """Return what makes network, loss and optimizer from the present parameters."""

    @abstractmethod
    def _targets_of(self, y: Any, incremental: bool) -> Targets:
        """Return new targets for y; or, if this fit continues the last, the last ones, checked against y."""

    @abstractmethod
    def _follow_parameters(self) -> None:
        """Rebuild what depends on parameters that were set since the last fit, which this one continues."""

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network to features X (n, n_features), an array, a frame or a sparse matrix, and targets y.

        Each example's loss is multiplied by its `sample_weight`, (n,). Returns self. Raises ValueError (an
        InvalidParameterError for a parameter) for what cannot be learned from, and then leaves the estimator as it was.
        """
        with self._unchanged_on_failure():
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool = False) -> None:
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        continues = hasattr(self, "network_") and (incremental or self.warm_start)
        X, y = self._validated(X, y, reset=not continues)
        self._targets = self._targets_of(y, incremental)
        targets = self._targets.encode(y)
        weights = example_weights(X, y, sample_weight, self.class_weight, incremental)
        random = check_random_state(self.random_state)
        if continues:
            self._update_network()
            self._move_to(chosen_device(self.device), torch_dtype(self.dtype))
            self._follow_parameters()
        else:
            self._make_network(X, random)
        self._train(Examples(X, self._matched(targets), weights), random, incremental)

    def _make_network(self, X: Any, random: RandomState) -> None:
        """Make a network for these features and the targets, and its loss."""
        self._curves = Curves()
        self._optimizer = None
        recipe = self._recipe()
        one = X[:1].toarray() if issparse(X) else np.ascontiguousarray(X[:1])
        dtype = torch_dtype(self.dtype) or recipe.dtype or torch_dtype(X.dtype)
        features = as_tensor("X", one).to(dtype).to(chosen_device(self.device))
        self.network_, self.n_outputs_ = recipe.network(features, self._targets.possible_outputs, random)
        self._targets = self._targets.for_outputs(self.n_outputs_)
        self._loss = self._recipe().loss(self.network_)

    def _train(self, examples: Examples, random: RandomState, incremental: bool) -> None:
        """Train until convergence, or for one epoch if `incremental`; then set the fitted attributes."""
        recipe = self._recipe()
        examples, held_out = self._split(examples, random)
        optimizer = self._optimizer = self._ready_optimizer(recipe, incremental)
        curves = self._curves.copy()
        convergence = self._convergence(recipe, curves)
        trainer = self._trainer(recipe, optimizer, convergence, examples, held_out, random, incremental)
        with weights_kept_on_failure(self.network_, optimizer):
            run(trainer)
        convergence.train_end(trainer)  # once more, for a run that was interrupted
        if not (incremental or trainer.stopping) and trainer.history.epochs == self.max_iter:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                f"converged yet.",
                ConvergenceWarning,
            )
        self._curves = curves
        self._set_fitted(trainer.history)

    def _ready_optimizer(self, recipe: Recipe, incremental: bool) -> Optimizer:
        """Return a new optimizer, or, if `incremental`, that of the fit before."""
        return self._optimizer if self._optimizer is not None and incremental else recipe.optimizer(self.network_)

    def _trainer(
        self,
        recipe: Recipe,
        optimizer: Optimizer,
        convergence: Convergence,
        examples: Examples,
        held_out: Examples | None,
        random: RandomState,
        incremental: bool,
    ) -> Trainer:
        size = batch_size(self.batch_size, len(examples))
        seed = (int(random.randint(2**31)) + self._curves.seen) % 2**31 if recipe.draws else None
        return Trainer(
            self.network_,
            TrainerConfig(
                num_epochs=1 if incremental else int(self.max_iter),
                train_minibatch_size=size,
                val_minibatch_size=CHUNK,
                seed=seed,
                clip_norm=self.gradient_clip,
                schedule=recipe.schedule,
                progress=None,
            ),
            self._loss,
            optimizer,
            examples.batches(size, self.network_, ShuffledOrder(random) if self.shuffle else None),
            None if held_out is None else held_out.whole(CHUNK, self.network_),
            [convergence, *checked_callbacks(self.callbacks)],
            metric=None if held_out is None else self._targets.metric(held_out.weights),
            tally=ReportedLoss(self._loss, recipe.averaged_outputs(self.n_outputs_)),
            history=TrainerRunResult(steps=recipe.steps_counted(optimizer)),
        )

    def _convergence(self, recipe: Recipe, curves: Curves) -> Convergence:
        return Convergence(
            curves,
            scored=self.early_stopping,
            outputs=recipe.averaged_outputs(self.n_outputs_),
            tol=self.tol,
            patience=self.n_iter_no_change,
            adaptive=recipe.adaptive,
            rate=recipe.rate,
            verbose=bool(self.verbose),
        )

    def _predictions(self, X: Any, kept: Callable[[Encoding, Tensor], Tensor]) -> Tensor:
        """Return what is `kept` of the network's predictions, (n, outputs): probabilities if its loss has a link."""
        if not is_plain(X, vars(self)):
            check_is_fitted(self)
            X = without_tensors("X", X)
            with columns_named("X", X):
                X = validate_data(self, X, accept_sparse="csr", dtype=_FLOATS, reset=False)
        self._update_network()
        network, n = self.network_, X.shape[0]
        with inference(True):
            parts = (features_for(network, X[part] if n > CHUNK or part.stop < n else X) for part in chunks(network, n))
            return predictions(self._loss, parts, n, partial(kept, self._targets.encoding))

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Return features, perhaps CSR, and labels as arrays; `reset` if they are the first."""
        numeric = self._target_kind.numeric
        X, y = without_tensors("X", X), without_tensors("y", y)
        with columns_named("X", X):
            X, y = validate_data(
                self, X, y, accept_sparse="csr", multi_output=True, y_numeric=numeric, dtype=_FLOATS, reset=reset
            )
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _matched(self, targets: Tensor) -> Tensor:
        """Return targets in the form that the loss takes. Raises ValueError for targets that it cannot be taught."""
        prediction = torch.empty(1, 1, dtype=self.network_.where[1]).expand(len(targets), self.n_outputs_)
        matched = self._loss.match(prediction, targets)
        self._loss.check(matched, self.n_outputs_)
        return matched

    def _split(self, examples: Examples, random: RandomState) -> tuple[Examples, Examples | None]:
        """Return the examples to train on, and those to validate on, if any."""
        if self.validation_data is not None:
            return examples, two_or_more(self._validation_examples())
        if not self.early_stopping:
            return examples, None
        strata = self._targets.strata(examples.targets)
        rest, held_out = split(examples, self.validation_fraction, strata, random)
        return rest, two_or_more(held_out)

    def _validation_examples(self) -> Examples:
        """Return `validation_data` as examples."""
        if len(self.validation_data) not in (2, 3):
            raise ValueError(
                f"validation_data has {len(self.validation_data)} parts; expected (X, y) or (X, y, sample_weight)"
            )
        X, y, *weights = self.validation_data
        X, y = self._validated(X, y, reset=False)
        self._targets.refuse_unknown(y)
        targets = self._matched(self._targets.encode(y))
        sample_weight = weights[0] if weights else None
        return Examples(X, targets, example_weights(X, y, sample_weight, self.class_weight, incremental=False))
