"""The state of a fitted estimator: its attributes, copies and pickles, and the way back when a fit fails."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from lincoln._util.tensors import chosen_device
from lincoln.errors import ArgumentError
from lincoln.estimators.curves import Curves
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.training.history import TrainerRunResult

_SHARE_THE_NETWORK = ("network_", "_loss", "_optimizer", "_curves")


class FittedState(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The fitted network with its loss and optimizer, and the curves of all fits that continue one another."""

    network_: Layer
    _loss: Loss
    _optimizer: Optimizer | None
    _curves: Curves

    def _update_network(self) -> None:
        """Copy into the network what was assigned to fitted attributes since the last fit."""

    def _set_fitted(self, history: TrainerRunResult) -> None:
        """Set the fitted attributes that every estimator has."""
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

    def _move_to(self, device: torch.device, dtype: torch.dtype | None = None) -> None:
        now = self.network_.where
        if now != (device, dtype or now[1]):
            self.network_.to(device, dtype)

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, with the network on the CPU, so that it can be loaded on a machine without a GPU."""
        if hasattr(self, "network_"):
            self._update_network()
        state: dict[str, Any] = dict(super().__getstate__())
        if "network_" in state:
            state |= copy.deepcopy({name: state[name] for name in _SHARE_THE_NETWORK})
            state["network_"].to("cpu")
            if state["_optimizer"] is not None:
                state["_optimizer"].to("cpu")
            state["_curves"].to("cpu")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            with suppress(ArgumentError):  # move it back to the GPU, if this machine has one
                self._move_to(chosen_device(self.device))
