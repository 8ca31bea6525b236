"""How to train, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lincoln._util.checks import at_least_one
from lincoln.errors import ArgumentError
from lincoln.schedules import Schedule


@dataclass(frozen=True)
class TrainerConfig:
    """How to train. Everything is checked when it is made: ArgumentError for what cannot be.

    - `num_epochs` passes through the training data, in batches of `train_minibatch_size`, shuffled by
      `shuffle_minibatches`; validation batches of `val_minibatch_size`, by default the training's, never shuffled.
    - `seed` fixes weights not made yet and the order of batches: a run is repeated bit by bit.
    - `clip_norm`: a longer gradient is scaled down to this length (all parameters as one vector).
    - `accumulate`: as many minibatches to a step as this, as if they were one.
    - `schedule`: a factor on the optimizer's learning rate, counted in `schedule_unit`s from 0.
    - `patience`: stop after so many epochs in which the watched loss (validation's if there is any) did not fall more than
      `min_delta` below where it last did; `restore_best` then brings back the weights of the epoch with the lowest.
    - `checkpoint_folder`: where to save; every `checkpoint_interval` steps, or after each epoch if that is None. The last
      `keep_checkpoints` are kept, and `best.safetensors`, the epoch with the lowest watched loss.
    - `measure_training`: measure the metric on the training data too after each epoch, which costs a pass through them.
    - `progress`: "auto" shows a display on a terminal and a line every `log_interval` epochs elsewhere, "lines" lines
      everywhere, None nothing.
    - `replay`: long runs of small networks on the CPU are replayed: from the thirteenth batch of a size on, the tensor
      operations of forward and backward, written down once, are made again, with the same numbers in less time
      (`lincoln.engine.replay`). So it is if layers and loss are `recordable`, callbacks `only_looks`, the layers that
      learn all `Linear`, and the data a Dataset or lincoln's DataLoader; a metric, optimizer or schedule of your own
      must leave the settings of network and loss alone. False runs every layer's code in every step.
    """

    num_epochs: int = 10
    train_minibatch_size: int = 32
    val_minibatch_size: int | None = None
    shuffle_minibatches: bool = True
    seed: int | None = None
    clip_norm: float | None = None
    accumulate: int = 1
    schedule: Schedule | None = None
    schedule_unit: Literal["step", "epoch"] = "step"
    patience: int | None = None
    min_delta: float = 0.0
    restore_best: bool = True
    checkpoint_folder: str | Path | None = None
    checkpoint_interval: int | None = None
    keep_checkpoints: int = 3
    measure_training: bool = False
    progress: Literal["auto", "lines"] | None = "auto"
    log_interval: int = 1
    replay: bool = True

    def __post_init__(self) -> None:
        for name in ("num_epochs", "train_minibatch_size", "accumulate", "keep_checkpoints", "log_interval"):
            at_least_one(name, getattr(self, name))
        if self.val_minibatch_size is None:
            object.__setattr__(self, "val_minibatch_size", self.train_minibatch_size)
        for name in ("val_minibatch_size", "patience", "checkpoint_interval"):
            if getattr(self, name) is not None:
                at_least_one(name, getattr(self, name))
        for name, holds, expected in (
            ("seed", self.seed is None or _is_integer(self.seed), "an integer, or None"),
            ("clip_norm", self.clip_norm is None or self.clip_norm > 0, "a length above 0, or None"),
            ("schedule", self.schedule is None or isinstance(self.schedule, Schedule), "a lincoln.schedules.Schedule"),
            ("schedule_unit", self.schedule_unit in ("step", "epoch"), "'step' or 'epoch'"),
            ("replay", isinstance(self.replay, bool), "True or False"),
            ("min_delta", self.min_delta >= 0, "0 or more"),
            ("checkpoint_interval", not self.checkpoint_interval or self.checkpoint_folder, "a checkpoint_folder with it"),
            ("progress", self.progress in ("auto", "lines", None), "'auto', 'lines' or None"),
        ):
            if not holds:
                raise ArgumentError(f"TrainerConfig: {name} is {getattr(self, name)!r}; expected {expected}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
