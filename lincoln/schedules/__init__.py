"""Schedules: the learning rate as a function of the step.

A schedule is a factor without unit on the optimizer's learning rate: at step t the rate is lr * schedule(t). The caller
decides whether a step is an optimizer step or an epoch.
"""

from lincoln.schedules.base import Schedule
from lincoln.schedules.formulas import constant, cosine, exponential, inverse_time, linear, one_cycle, step_decay
from lincoln.schedules.joined import join
from lincoln.schedules.plateau import reduce_on_plateau

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "exponential",
    "inverse_time",
    "join",
    "linear",
    "one_cycle",
    "reduce_on_plateau",
    "step_decay",
]
