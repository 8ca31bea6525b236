"""Every setting of every optimizer, schedule and config: what is refused, and in which words."""

import inspect
import math

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError
from lincoln.layers import Linear
from lincoln.schedules import (
    constant,
    cosine,
    exponential,
    inverse_time,
    join,
    linear,
    one_cycle,
    reduce_on_plateau,
    step_decay,
)

COUNT = ("an integer of at least 1", (0, -1, 2.0))
WHOLE = ("an integer of at least 0", (-1, 2.0))
NUMBER = ("a number of at least 0", (-1, -math.inf))
FINITE = ("a finite number of at least 0", (-1, math.inf))
POSITIVE = ("a finite number above 0", (-1, 0, math.inf))
FRACTION = ("a number from 0 to 1", (-0.1, 1.1))
FLAG = ("True or False", (1, 0, None))
BETAS = ("two numbers, each of at least 0 and below 1", (0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.9, True), (0.9, "0.9")))

WATCH = "'loss' or the name of a metric"
NETWORK = ("a Layer", (None, 3, Linear))
SGD = {"network": NETWORK, "lr": NUMBER, "momentum": NUMBER, "nesterov": FLAG, "weight_decay": NUMBER}
ADAM = {"network": NETWORK, "lr": NUMBER, "betas": BETAS, "eps": NUMBER, "weight_decay": NUMBER, "amsgrad": FLAG}
TABLE = {
    lnc.SGD: SGD,
    lnc.Momentum: {name: rule for name, rule in SGD.items() if name != "weight_decay"},
    lnc.Adam: ADAM,
    lnc.AdamHat: ADAM,
    lnc.AdamW: ADAM,
    constant: {"factor": POSITIVE},
    step_decay: {"every": COUNT, "factor": POSITIVE},
    exponential: {"factor": POSITIVE},
    inverse_time: {"rate": FINITE},
    linear: {"steps": COUNT, "start": FINITE, "end": FINITE},
    cosine: {"steps": COUNT, "warmup": WHOLE, "final": FINITE},
    one_cycle: {
        "steps": COUNT,
        "pct_start": FRACTION,
        "div_factor": POSITIVE,
        "final_div_factor": POSITIVE,
        "anneal": ("'cos' or 'linear'", ("cosine", None)),
    },
    reduce_on_plateau: {
        "factor": POSITIVE,
        "patience": WHOLE,
        "threshold": FINITE,
        "threshold_mode": ("'rel' or 'abs'", ("relative", None)),
        "cooldown": WHOLE,
        "min_factor": FRACTION,
        "mode": ("'min' or 'max'", ("minimum", None)),
    },
    join: {
        "schedules": ("a Schedule, such as linear(100)", (None, cosine)),
        "at": (
            "increasing integers above 0, one for each schedule after the first (1 here)",
            (5, (0,), (-1,), (2, 3), (2.0,)),
        ),
    },
    lnc.TrainerConfig: {
        "num_epochs": COUNT,
        "train_minibatch_size": COUNT,
        "val_minibatch_size": ("an integer of at least 1, or None", (0, -1, 2.0)),
        "shuffle_minibatches": FLAG,
        "seed": ("an integer, or None", (2.0,)),
        "clip_norm": ("a length above 0, or None", (0, -1)),
        "accumulate": COUNT,
        "schedule": ("a lincoln.schedules.Schedule, or None", (0.5, cosine)),
        "schedule_unit": ("'step' or 'epoch'", ("day", None)),
        "patience": ("an integer of at least 1, or None", (0, -1, 2.0)),
        "min_delta": NUMBER,
        "restore_best": FLAG,
        "checkpoint_folder": ("a path, or None", (3,)),
        "checkpoint_interval": ("an integer of at least 1, or None", (0, -1, 2.0)),
        "keep_checkpoints": COUNT,
        "measure_training": FLAG,
        "progress": ("'auto', 'lines' or None", ("line", False)),
        "log_interval": COUNT,
        "replay": FLAG,
        "watch": (WATCH, ("", None, 3)),
        "mode": ("'auto', 'min' or 'max'", ("up", None)),
    },
}
NAN = (math.nan, np.float64("nan"), torch.tensor(math.nan))
EVERYWHERE = (*NAN, True, np.bool_(False), "nonsense", b"auto", [], {}, object())


def made(kind, name, value):
    """Make one of `kind` with a setting of this value, and the settings that must be given."""
    if kind is join:
        return join(constant(), value, at=(5,)) if name == "schedules" else join(constant(), constant(), at=value)
    needed = {"network": Linear(1), "steps": 10, "every": 10, "factor": 0.5, "rate": 0.1}
    required = [p.name for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    return kind(**{parameter: needed[parameter] for parameter in required} | {name: value})


def classes(module, base):
    return {kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, base)} - {base}


def test_every_setting_is_in_the_table():
    schedules, optimizers = classes(lnc.schedules, lnc.schedules.Schedule), classes(lnc.optim, lnc.optim.Optimizer)
    assert set(TABLE) == {*schedules, *optimizers, lnc.TrainerConfig}
    for kind, settings in TABLE.items():
        assert list(settings) == list(inspect.signature(kind).parameters), kind


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, settings in TABLE.items() for name in settings],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_bad_settings_are_refused_in_one_form(kind, name):
    expected, values = TABLE[kind][name]
    for value in (*values, *EVERYWHERE):
        if isinstance(value, {"True or False": bool | np.bool_, "a path, or None": str, WATCH: str}.get(expected, ())):
            continue  # right here
        with pytest.raises(ArgumentError) as refusal:
            made(kind, name, value)
        argument = "schedules[1]" if name == "schedules" else name
        assert str(refusal.value).startswith(f"{kind.__name__}: {argument} is {value!r}; expected {expected}")
