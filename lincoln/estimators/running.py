"""A training run inside a fit: its warnings, and the way back when it fails."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lincoln.errors import DivergenceError
from lincoln.layers import Layer
from lincoln.optim import Optimizer
from lincoln.trainer import Trainer
from lincoln.training.weights import Weights, all_finite

_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)
_OURS = ("lincoln.estimators.", "sklearn.base")


def run(trainer: Trainer) -> None:
    """Train, with scikit-learn's ways: Ctrl-C ends the fit with a warning, divergence is a ValueError."""
    try:
        trainer.train()
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
    except DivergenceError as error:
        raise ValueError(f"{_NOT_FINITE} ({error})") from error
    finally:
        trainer.model.eval()


@contextmanager
def weights_kept_on_failure(network: Layer, optimizer: Optimizer | None = None) -> Iterator[None]:
    """Put the network and the optimizer back where they were if the body fails, or leaves weights that are not finite."""
    weights, state = Weights.of(network), optimizer.state_dict() if optimizer else {}
    try:
        yield
        if not all_finite(network):
            raise ValueError(_NOT_FINITE)
    except BaseException:
        weights.put_back(network)
        if optimizer is not None:
            optimizer.load_state_dict(state)
        raise


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called the estimator."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and f"{frame.f_globals['__name__']}.".startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
