"""The settings of a training run."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lincoln._util.settings import (
    AT_LEAST_ONE,
    FLAG,
    NON_NEGATIVE,
    Rule,
    instance_of,
    integer,
    one_of,
    optional,
    real,
    unexpected,
    within,
)
from lincoln.schedules import Schedule


def _path(value: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return a path as it is. Raises TypeError for anything else, ValueError for one that names no folder."""
    text = os.fspath(value)
    if not isinstance(text, str):
        raise TypeError
    if not text.strip() or "\0" in text:
        raise ValueError
    return value


def _name(value: object) -> str:
    """Return a name as a plain string. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError
    return str(value)


_SEED = optional(Rule("an integer", integer, lambda n: 0 <= n < 2**64))
_LENGTH = optional(Rule("a length above 0", real, lambda x: 0 < x < math.inf))
_RULES = {
    **dict.fromkeys(("num_epochs", "train_minibatch_size", "accumulate", "keep_checkpoints", "log_interval"), AT_LEAST_ONE),
    **dict.fromkeys(("val_minibatch_size", "patience", "checkpoint_interval"), optional(AT_LEAST_ONE)),
    **dict.fromkeys(("shuffle_minibatches", "restore_best", "measure_training", "replay"), FLAG),
    "seed": replace(_SEED, expected=f"{_SEED.expected}; from 0 to 2^64 - 1"),
    "clip_norm": replace(_LENGTH, expected=f"{_LENGTH.expected}; and finite"),
    "schedule": optional(instance_of(Schedule, "a lincoln.schedules.Schedule")),
    "schedule_unit": one_of("step", "epoch"),
    "min_delta": NON_NEGATIVE,
    "watch": Rule("'loss' or the name of a metric", _name, bool),
    "mode": one_of("auto", "min", "max"),
    "checkpoint_folder": optional(Rule("a path", _path)),
    "progress": one_of("auto", "lines", None),
}


@dataclass(frozen=True)
class TrainerConfig:
    """The settings of a training run. Raises ArgumentError for a setting that is out of range.

    - `num_epochs`: passes through the training data, in batches of `train_minibatch_size` examples, in a new order each
      epoch if `shuffle_minibatches`.
    - `val_minibatch_size`: examples in a validation batch, by default as in training; never shuffled.
    - `seed`: fixes the initial weights of layers that are not built yet and the order of batches, so that a run can be
      repeated bit by bit.
    - `clip_norm`: scale the gradient (all parameters as one vector) down to this length if it is longer.
    - `accumulate`: batches for each step; their gradients are combined as if they were one batch.
    - `schedule`: a factor on the optimizer's learning rate, with `schedule_unit`s ("step" or "epoch") counted from 0.
    - `patience`: stop after this many epochs in a row without improvement. An improvement is a loss more than `min_delta`
      below that of the last improvement; the loss is the validation loss if there are validation data, else the training
      loss. With `restore_best`, the network then ends with the weights of the epoch of lowest loss.
    - `checkpoint_folder`: where to save checkpoints, every `checkpoint_interval` steps, or after each epoch if that is
      None. The last `keep_checkpoints` are kept, and best.safetensors of the epoch of lowest loss.
    - `measure_training`: after each epoch, compute the metric on the training data too, in one more pass through them.
    - `progress`: "auto" is a display on a terminal, elsewhere a line every `log_interval` epochs; "lines" is always lines;
      None is nothing.
    - `replay`: record the tensor operations of a step of a small network and run the recording from then on, which gives
      the same numbers in less time (`lincoln.engine.replay` says when). A metric, optimizer or schedule of your own must
      then leave the settings of network and loss alone. False runs the layers in every step.
    - `watch`: the name of a metric that `patience`, `restore_best` and best.safetensors look at instead of the loss, on the
      same data. In `mode` "auto" the metric says whether higher is better, as those of `lincoln.metrics` and scikit-learn
      do; "max" and "min" say it of any other.
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
    watch: str = "loss"
    mode: Literal["auto", "min", "max"] = "auto"

    def __post_init__(self) -> None:
        if self.val_minibatch_size is None:
            vars(self)["val_minibatch_size"] = self.train_minibatch_size
        within(self, **_RULES)
        if self.checkpoint_interval and not self.checkpoint_folder:
            raise unexpected(self, "checkpoint_interval", self.checkpoint_interval, "a checkpoint_folder with it")
