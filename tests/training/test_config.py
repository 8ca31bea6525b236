"""The settings of a run."""

import pytest

from lincoln import TrainerConfig
from lincoln.errors import ArgumentError


def test_config():
    config = TrainerConfig(num_epochs=3, train_minibatch_size=16)
    assert config.val_minibatch_size == 16
    assert TrainerConfig(val_minibatch_size=5).val_minibatch_size == 5
    for name in ("num_epochs", "train_minibatch_size", "val_minibatch_size"):
        with pytest.raises(ArgumentError, match=f"{name} is 0; expected an integer of at least 1"):
            TrainerConfig(**{name: 0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate": 0}, "accumulate is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"keep_checkpoints": 0}, "keep_checkpoints is 0"),
        ({"clip_norm": 0}, "clip_norm is 0; expected a length above 0"),
        ({"min_delta": -1}, "min_delta is -1; expected a number of at least 0"),
        ({"seed": 1.5}, "seed is 1.5; expected an integer, or None"),
        ({"schedule": lambda step: 1.0}, "schedule is .*; expected a lincoln.schedules.Schedule"),
        ({"schedule_unit": "day"}, "schedule_unit is 'day'; expected 'step' or 'epoch'"),
        ({"checkpoint_interval": 5}, "checkpoint_interval is 5; expected a checkpoint_folder with it"),
        ({"progress": True}, "progress is True; expected 'auto', 'lines' or None"),
    ],
)
def test_config_out_of_range(settings, message):
    with pytest.raises(ArgumentError, match=message):
        TrainerConfig(**settings)
