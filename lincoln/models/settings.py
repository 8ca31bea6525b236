"""The settings of a run that `fit` passes on to the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypedDict

from lincoln.optim import Optimizer
from lincoln.schedules import Schedule
from lincoln.training.config import TrainerConfig


class RunSettings(TypedDict, total=False):
    """Settings of `TrainerConfig` that `fit` takes by the same names."""

    clip_norm: float | None
    schedule: Schedule | None
    schedule_unit: Literal["step", "epoch"]
    patience: int | None
    min_delta: float
    restore_best: bool
    watch: str
    mode: Literal["auto", "min", "max"]


def run_config(epochs: int, batch_size: int, seed: int | None, settings: RunSettings) -> TrainerConfig:
    """Return the config of a fit, without a display. Raises TypeError for a setting that `fit` does not have."""
    for name in settings:
        if name not in RunSettings.__annotations__:
            raise TypeError(f"fit() got an unexpected keyword argument {name!r}")
    return TrainerConfig(epochs, batch_size, seed=seed, progress=None, **settings)


@contextmanager
def rate_kept(optimizer: Optimizer, config: TrainerConfig) -> Iterator[None]:
    """Put the learning rate back that a fit's schedule is a factor on, so that the next fit starts from it too."""
    rate = optimizer.lr
    try:
        yield
    finally:
        if config.schedule is not None:
            optimizer.lr = rate
