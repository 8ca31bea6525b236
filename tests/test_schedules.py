"""Schedules against torch.optim.lr_scheduler, their limits, their state, and what they refuse."""

import copy
import dataclasses
import itertools
import json
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as reference

from lincoln import schedules
from lincoln.errors import ArgumentError, MatchError
from lincoln.schedules import (
    Schedule,
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

LR = 0.3


def grid(**choices):
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def optimizer(lr=LR):
    return torch.optim.SGD([torch.zeros(1)], lr=lr)


def rates_of_torch(make, count):
    """The learning rate at steps 0 to count - 1 with the scheduler that `make` makes of an optimizer."""
    descent = optimizer()
    scheduler = make(descent)
    rates = []
    for _ in range(count):
        rates.append(descent.param_groups[0]["lr"])
        descent.step()
        if len(rates) < count:
            scheduler.step()
    return rates


def close(rates, schedule, rel):
    assert [LR * schedule(step) for step in range(len(rates))] == pytest.approx(rates, rel=rel, abs=1e-15)


# torch's recursions round at every step; what it computes in closed form is held to 1e-12
RECURSIVE, CLOSED = 1e-9, 1e-12


@pytest.mark.parametrize("settings", grid(every=[1, 3, 10, 1000], factor=[0.1, 0.5, 1.0, 1.1]), ids=str)
def test_step_decay_as_torch(settings):
    every, factor = settings.values()
    close(rates_of_torch(lambda o: reference.StepLR(o, every, factor), 100), step_decay(every, factor), RECURSIVE)


@pytest.mark.parametrize("factor", [0.1, 0.9, 0.999, 1.0, 1.05])
def test_exponential_as_torch(factor):
    close(rates_of_torch(lambda o: reference.ExponentialLR(o, factor), 300), exponential(factor), RECURSIVE)


@pytest.mark.parametrize("rate", [0, 0.001, 0.3, 7])
def test_inverse_time_as_a_lambda(rate):
    close(rates_of_torch(lambda o: reference.LambdaLR(o, lambda t: 1 / (1 + rate * t)), 300), inverse_time(rate), CLOSED)


@pytest.mark.parametrize("settings", grid(steps=[1, 2, 7, 100], start=[1e-3, 1 / 3, 1.0], end=[0.0, 0.1, 1.0]), ids=str)
def test_linear_as_torch(settings):
    steps, start, end = settings.values()
    close(rates_of_torch(lambda o: reference.LinearLR(o, start, end, steps), 150), linear(**settings), RECURSIVE)


@pytest.mark.parametrize("settings", grid(steps=[1, 2, 7, 100, 1000], final=[0.0, 0.01, 0.5, 1.0]), ids=str)
def test_cosine_as_torch(settings):
    steps, final = settings.values()
    rates = rates_of_torch(lambda o: reference.CosineAnnealingLR(o, steps, LR * final), steps + 1)
    close(rates, cosine(**settings), RECURSIVE)


@pytest.mark.parametrize("settings", grid(steps=[3, 10, 100], warmup=[1, 2], final=[0.0, 0.1]), ids=str)
def test_cosine_with_warmup_as_torch(settings):
    steps, warmup, final = settings.values()

    def make(o):
        up = reference.LinearLR(o, 1 / warmup, 1.0, max(warmup - 1, 1))
        return reference.SequentialLR(o, [up, reference.CosineAnnealingLR(o, steps - warmup, LR * final)], [warmup])

    close(rates_of_torch(make, steps + 1), cosine(**settings), RECURSIVE)


@pytest.mark.parametrize(
    "settings",
    grid(
        steps=[2, 7, 100],
        pct_start=[0.0, 0.1, 0.3, 0.77, 1.0],
        div_factor=[25.0, 2.0],
        final_div_factor=[1e4, 1.0],
        anneal=["cos", "linear"],
    ),
    ids=str,
)
def test_one_cycle_as_torch(settings):
    theirs = {name: value for name, value in settings.items() if name not in ("steps", "anneal")}
    theirs |= {"total_steps": settings["steps"], "anneal_strategy": settings["anneal"], "cycle_momentum": False}
    rates = rates_of_torch(lambda o: reference.OneCycleLR(o, LR, **theirs), settings["steps"])
    close(rates, one_cycle(**settings), CLOSED)


def test_one_cycle_whose_rise_is_one_step():
    """pct_start steps = 1, where torch divides by zero."""
    schedule = one_cycle(10, pct_start=0.1)
    assert schedule(0) == 1
    assert schedule(9) == pytest.approx(1 / 25e4)
    assert one_cycle(1, pct_start=1)(0) == 1


PARTS = [
    (lambda: step_decay(4, 0.5), lambda o: reference.StepLR(o, 4, 0.5)),
    (lambda: exponential(0.9), lambda o: reference.ExponentialLR(o, 0.9)),
    (lambda: linear(5, 0.1), lambda o: reference.LinearLR(o, 0.1, 1.0, 5)),
    (lambda: inverse_time(0.1), lambda o: reference.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t))),
    (lambda: cosine(30, final=0.1), lambda o: reference.CosineAnnealingLR(o, 30, LR * 0.1)),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(PARTS)), 3)), ids=str)
@pytest.mark.parametrize("at", [(1, 2), (7, 20)], ids=str)
def test_join_as_torch(order, at):
    ours, theirs = zip(*(PARTS[number] for number in order), strict=True)
    schedule = join(*(make() for make in ours), at=at)
    rates = rates_of_torch(lambda o: reference.SequentialLR(o, [make(o) for make in theirs], list(at)), at[-1] + 30)
    close(rates, schedule, RECURSIVE)


def test_join_of_constants_as_torch():
    schedule = join(constant(), constant(0.1), constant(0.01), at=[30, 80])
    close(rates_of_torch(lambda o: reference.MultiStepLR(o, [30, 80], 0.1), 100), schedule, RECURSIVE)


def test_join_in_join():
    schedule = join(linear(10), join(constant(0.5), constant(0.2), at=(5,)), at=(10,))
    assert [schedule(step) for step in (0, 10, 14, 15, 99)] == [1 / 3, 0.5, 0.5, 0.2, 0.2]
    assert join(cosine(7), at=())(3) == cosine(7)(3)


PLATEAU = {
    "factor": st.floats(0.05, 0.95),
    "patience": st.integers(0, 4),
    "threshold": st.sampled_from([0.0, 1e-4, 0.1, 0.5]),
    "threshold_mode": st.sampled_from(["rel", "abs"]),
    "cooldown": st.integers(0, 4),
    "min_factor": st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    "mode": st.sampled_from(["min", "max"]),
}
LOSSES = st.lists(st.one_of(st.floats(-2, 2), st.sampled_from([0.0, 1.0, math.nan])), max_size=60)


@given(settings=st.fixed_dictionaries(PLATEAU), losses=LOSSES)
def test_plateau_as_torch(settings, losses):
    descent = optimizer(lr=1.0)
    theirs = {("min_lr" if name == "min_factor" else name): value for name, value in settings.items()}
    scheduler, schedule = reference.ReduceLROnPlateau(descent, eps=0, **theirs), reduce_on_plateau(**settings)
    for epoch, loss in enumerate(losses):
        descent.step()
        scheduler.step(loss)
        schedule.observe(loss)
        assert schedule(epoch) == descent.param_groups[0]["lr"]


@given(settings=st.fixed_dictionaries(PLATEAU), losses=LOSSES, more=LOSSES)
def test_plateau_goes_on_from_its_state(settings, losses, more):
    schedule, other = reduce_on_plateau(**settings), reduce_on_plateau(**settings)
    for loss in losses:
        schedule.observe(loss)
    other.load_state_dict(json.loads(json.dumps(schedule.state_dict(), allow_nan=False)))
    for loss in more:
        schedule.observe(loss)
        other.observe(loss)
        assert schedule(0) == other(0)
    assert schedule.state_dict() == other.state_dict()


def test_plateau_by_hand():
    schedule = reduce_on_plateau(factor=0.5, patience=1)
    factors = []
    for loss in [1.0, 0.9, 0.9, 0.95, 0.9, 0.9, 0.5, math.inf, -math.inf]:
        schedule.observe(torch.tensor(loss))
        factors.append(schedule(0))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert schedule.state_dict() == {"factor": 0.125, "bad": 0, "cooldown": 0, "best": 0.5}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_no_change_is_no_improvement(mode, threshold_mode):
    schedule = reduce_on_plateau(0.5, patience=0, threshold=0, mode=mode, threshold_mode=threshold_mode)
    for loss in (1.0, 1.0):
        schedule.observe(loss)
    assert schedule(0) == 0.5


def test_state_is_a_copy():
    schedule = reduce_on_plateau(0.5, patience=0)
    state = schedule.state_dict()
    fresh = dict(state)
    schedule.load_state_dict(state)
    schedule.observe(1.0)
    assert state == fresh
    schedule.state_dict()["factor"] = 7
    assert schedule(0) == 1


def test_plateau_within_join():
    schedule = join(linear(4, 0.2), reduce_on_plateau(0.5, patience=0), at=(4,))
    assert schedule.state_dict() == {"1.factor": 1, "1.bad": 0, "1.cooldown": 0}
    for loss in (1.0, 2.0, 0.5):
        schedule.observe(loss)
    assert schedule(0) == 0.2
    assert schedule(4) == 0.5
    state = schedule.state_dict()
    other = join(linear(4, 0.2), reduce_on_plateau(0.5, patience=0), at=(4,))
    other.load_state_dict(state)
    assert other.state_dict() == state == {"1.factor": 0.5, "1.bad": 0, "1.cooldown": 0, "1.best": 0.5}
    assert other(4) == 0.5


def test_one_plateau_at_two_places_hears_once():
    plateau = reduce_on_plateau(0.5, patience=1)
    schedule = join(plateau, cosine(10), plateau, at=(5, 15))
    for loss in (1.0, 1.0):
        schedule.observe(loss)
    assert plateau(0) == 1
    schedule.observe(1.0)
    assert schedule(0) == schedule(20) == 0.5


def test_state_that_does_not_fit():
    with pytest.raises(MatchError, match=r"cosine: the state holds \['best'\], expected an empty one"):
        cosine(10).load_state_dict({"best": 1})
    plateau = reduce_on_plateau()
    for state in ({}, {"factor": 1}, plateau.state_dict() | {"velocity": 1}):
        with pytest.raises(MatchError, match="expected factor, bad, cooldown and perhaps best"):
            plateau.load_state_dict(state)
    two = join(plateau, reduce_on_plateau(), at=(5,))
    before = two.state_dict()
    with pytest.raises(MatchError, match="'2.factor', but the schedules are 0 to 1"):
        two.load_state_dict(before | {"2.factor": 1})
    with pytest.raises(MatchError, match=r"reduce_on_plateau: the state holds \['factor'\]"):
        two.load_state_dict({"0.factor": 0.5, "0.bad": 0, "0.cooldown": 0, "1.factor": 1})
    assert two.state_dict() == before


PURE = [
    constant(),
    constant(0.5),
    step_decay(10),
    step_decay(3, 0.5),
    exponential(0.9),
    inverse_time(0.1),
    linear(10),
    linear(20, 1.0, 0.1),
    cosine(10),
    cosine(50, warmup=5, final=0.1),
    one_cycle(40),
    one_cycle(7, 0.5, 10.0, 100.0, "linear"),
]
ALL = [
    *PURE,
    reduce_on_plateau(),
    reduce_on_plateau(0.5, 3, 0.0, "abs", 2, 0.01, "max"),
    join(linear(10), cosine(90), at=(10,)),
    join(linear(10), join(constant(), reduce_on_plateau(), at=(3,)), exponential(0.9), at=[10, 20]),
]


def test_every_schedule_is_in_the_table():
    classes = {kind for kind in vars(schedules).values() if isinstance(kind, type) and issubclass(kind, Schedule)}
    assert classes - {Schedule} == {type(schedule) for schedule in ALL}


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_copies(schedule):
    schedule = copy.deepcopy(schedule)
    for loss in (1.0, 2.0, 3.0):
        schedule.observe(loss)
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert other.state_dict() == schedule.state_dict()
        assert [other(step) for step in range(60)] == [schedule(step) for step in range(60)]
        before = schedule.state_dict()
        other.observe(4.0)
        assert schedule.state_dict() == before
    again = eval(repr(schedule), vars(schedules))
    assert again == schedule
    assert repr(again) == repr(schedule)


@pytest.mark.parametrize("schedule", PURE, ids=repr)
def test_pure_schedules(schedule):
    before = [schedule(step) for step in range(100)]
    schedule.observe(1.0)
    assert schedule.state_dict() == {}
    schedule.load_state_dict({})
    assert [schedule(step) for step in range(100)] == before
    assert all(type(factor) is float for factor in before)
    settings = json.loads(json.dumps(dataclasses.asdict(schedule)))
    assert type(schedule)(**settings) == schedule


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_settings_cannot_change(schedule):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, dataclasses.fields(schedule)[0].name, 3)


def test_settings_become_plain_numbers():
    schedule = cosine(np.int64(10), warmup=np.int32(2), final=np.float32(0.5))
    assert repr(schedule) == "cosine(steps=10, warmup=2, final=0.5)"
    assert repr(join(constant(1), constant(np.float64(0.5)), at=np.array([3]))) == (
        "join(constant(factor=1.0), constant(factor=0.5), at=(3,))"
    )


FRACTION = st.floats(0, 1)


@given(steps=st.integers(1, 300), share=st.floats(0, 0.99), final=FRACTION)
def test_cosine_rises_then_falls_and_wastes_no_step(steps, share, final):
    warmup = int(share * steps)
    schedule = cosine(steps, warmup, final)
    factors = [schedule(step) for step in range(steps + 1)]
    assert all(0 < factor <= 1 for factor in factors[:-1])
    assert factors[:warmup] == sorted(factors[:warmup])
    assert factors[warmup] == 1
    assert all(later <= earlier + 1e-15 for earlier, later in itertools.pairwise(factors[warmup:]))
    assert factors[-1] == schedule(10 * steps) == final


@given(steps=st.integers(1, 300), pct_start=FRACTION, anneal=st.sampled_from(["cos", "linear"]))
def test_one_cycle_rises_then_falls(steps, pct_start, anneal):
    schedule = one_cycle(steps, pct_start, anneal=anneal)
    factors = [schedule(step) for step in range(steps)]
    top = factors.index(max(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)
    assert factors[-1] == schedule(steps) == schedule(10 * steps)


@given(steps=st.integers(1, 300), start=FRACTION, end=FRACTION)
def test_linear_starts_and_ends_exactly(steps, start, end):
    schedule = linear(steps, start, end)
    assert schedule(0) == start
    assert schedule(steps) == schedule(10 * steps) == end
    assert all(min(start, end) - 1e-15 <= schedule(step) <= max(start, end) + 1e-15 for step in range(steps))


def test_limits():
    assert inverse_time(0.25)(4) == 0.5
    assert exponential(0.5)(10_000) == step_decay(10)(100_000) == 0
    assert constant()(10**9) == 1
    assert cosine(10, warmup=4)(0) == 0.25


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@pytest.mark.parametrize("step", [-1, math.nan])
def test_step_out_of_range(schedule, step):
    with pytest.raises(ArgumentError, match=f"{type(schedule).__name__}: step is {step}; expected a number of at least 0"):
        schedule(step)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (constant, {"factor": 0}, "^constant: factor is 0; expected a finite number above 0$"),
        (step_decay, {"every": 0}, "^step_decay: every is 0; expected an integer of at least 1$"),
        (step_decay, {"every": 2.5}, "every is 2.5; expected"),
        (step_decay, {"every": True}, "every is True; expected"),
        (step_decay, {"every": 3, "factor": -0.1}, "factor is -0.1; expected"),
        (exponential, {"factor": 0.0}, "exponential: factor is 0.0; expected"),
        (exponential, {"factor": math.inf}, "factor is inf; expected"),
        (exponential, {"factor": math.nan}, "factor is nan; expected"),
        (exponential, {"factor": "0.9"}, "factor is '0.9'; expected"),
        (inverse_time, {"rate": -1}, "^inverse_time: rate is -1; expected a finite number of at least 0$"),
        (linear, {"steps": 0}, "linear: steps is 0; expected"),
        (linear, {"steps": 3, "start": -0.1}, "start is -0.1; expected"),
        (linear, {"steps": 3, "end": -0.1}, "end is -0.1; expected"),
        (cosine, {"steps": -1}, "cosine: steps is -1; expected"),
        (cosine, {"steps": 3, "warmup": -1}, "^cosine: warmup is -1; expected an integer of at least 0$"),
        (
            cosine,
            {"steps": 3, "warmup": 3},
            "^cosine: warmup is 3; expected fewer than steps=3, which include the warm-up; for .* use linear$",
        ),
        (cosine, {"steps": 3, "final": -1}, "final is -1; expected"),
        (one_cycle, {"steps": 0}, "one_cycle: steps is 0; expected"),
        (one_cycle, {"steps": 9, "pct_start": 1.1}, "^one_cycle: pct_start is 1.1; expected a number from 0 to 1$"),
        (one_cycle, {"steps": 9, "div_factor": 0}, "div_factor is 0; expected"),
        (one_cycle, {"steps": 9, "final_div_factor": -1}, "final_div_factor is -1; expected"),
        (one_cycle, {"steps": 9, "anneal": "cosine"}, "^one_cycle: anneal is 'cosine'; expected 'cos' or 'linear'$"),
        (reduce_on_plateau, {"factor": 0}, "reduce_on_plateau: factor is 0; expected"),
        (
            reduce_on_plateau,
            {"factor": 1},
            "^reduce_on_plateau: factor is 1.0; expected a number below 1, so that it reduces$",
        ),
        (reduce_on_plateau, {"patience": -1}, "patience is -1; expected"),
        (reduce_on_plateau, {"threshold": -1}, "threshold is -1; expected"),
        (reduce_on_plateau, {"threshold_mode": "relative"}, "threshold_mode is 'relative'; expected"),
        (reduce_on_plateau, {"cooldown": -1}, "cooldown is -1; expected"),
        (reduce_on_plateau, {"min_factor": 1.5}, "min_factor is 1.5; expected"),
        (reduce_on_plateau, {"mode": 3}, "^reduce_on_plateau: mode is 3; expected 'min' or 'max'$"),
    ],
)
def test_settings_out_of_range(kind, settings, message):
    with pytest.raises(ArgumentError, match=message):
        kind(**settings)


@pytest.mark.parametrize(
    ("parts", "at", "message"),
    [
        ([], (), r"^join: schedules is \(\); expected schedules such as"),
        (
            [constant()],
            (5,),
            r"^join: at is \(5,\); expected increasing integers above 0, one for each .* \(0 here\): the step at which",
        ),
        ([constant(), constant()], (), r"at is \(\); expected .* \(1 here\)"),
        ([constant(), constant()], 5, r"at is 5; expected .* \(1 here\)"),
        ([constant(), constant()], (2.5,), r"at is \(2.5,\); expected .* \(1 here\)"),
        ([constant(), constant()], (0,), r"at is \(0,\); expected increasing integers above 0"),
        ([constant(), constant()], (-3,), r"at is \(-3,\); expected increasing"),
        ([constant(), constant(), constant()], (5, 5), r"at is \(5, 5\); expected increasing"),
        ([constant(), constant(), constant()], (5, 3), r"at is \(5, 3\); expected increasing"),
        (
            [constant(), cosine],
            (5,),
            r"^join: schedules\[1\] is <class .*cosine'>; expected a Schedule, such as linear\(100\)$",
        ),
        ([constant(), lambda step: 1.0], (5,), "expected a Schedule"),
    ],
)
def test_joins_refused(parts, at, message):
    with pytest.raises(ArgumentError, match=message):
        join(*parts, at=at)


def test_a_schedule_of_ones_own():
    class every_other(Schedule):
        def value(self, step):
            return float(step % 2)

    schedule = join(every_other(), constant(), at=(3,))
    assert [schedule(step) for step in range(5)] == [0, 1, 0, 1, 1]
    with pytest.raises(TypeError, match="abstract"):
        Schedule()
