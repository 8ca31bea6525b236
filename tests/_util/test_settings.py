"""The one validator of settings: what each rule accepts, refuses and says."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch

from lincoln._util.settings import (
    AT_LEAST_ONE,
    FINITE_NON_NEGATIVE,
    FINITE_POSITIVE,
    FLAG,
    FRACTION,
    FRACTION_BELOW_ONE,
    INTEGER,
    NON_NEGATIVE,
    POSITIVE,
    WHOLE,
    instance_of,
    one_of,
    optional,
    setting,
    within,
)
from lincoln.errors import ArgumentError

WORD = one_of("step", "epoch")
NUMBERS = [POSITIVE, NON_NEGATIVE, FINITE_POSITIVE, FINITE_NON_NEGATIVE, FRACTION, FRACTION_BELOW_ONE]
COUNTS = [INTEGER, WHOLE, AT_LEAST_ONE]


@pytest.mark.parametrize(
    ("rule", "value", "plain"),
    [
        *((rule, value, 0.5) for rule in NUMBERS for value in (0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5))),
        *((rule, value, 3) for rule in COUNTS for value in (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3))),
        (POSITIVE, 2, 2.0),
        (NON_NEGATIVE, math.inf, math.inf),
        (POSITIVE, Fraction(1, 4), 0.25),
        (NON_NEGATIVE, 0, 0.0),
        (FRACTION, 1, 1.0),
        (INTEGER, -5, -5),
        (WHOLE, 0, 0),
        (FLAG, False, False),
        (FLAG, np.bool_(True), True),
        (WORD, "epoch", "epoch"),
        (WORD, np.str_("step"), "step"),
        (one_of("auto", None), None, None),
        (optional(POSITIVE), None, None),
        (optional(POSITIVE), np.float64(2), 2.0),
    ],
)
def test_accepted_settings_become_plain_values(rule, value, plain):
    result = setting("f", "x", value, rule)
    assert result == plain
    assert type(result) is type(plain)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (POSITIVE, (0, -1, -math.inf), "a number above 0"),
        (NON_NEGATIVE, (-1e-9,), "a number of at least 0"),
        (FINITE_POSITIVE, (0, -1, math.inf), "a finite number above 0"),
        (FINITE_NON_NEGATIVE, (-1e-9, math.inf), "a finite number of at least 0"),
        (FRACTION, (-0.1, 1.1), "a number from 0 to 1"),
        (FRACTION_BELOW_ONE, (-0.1, 1), "a number of at least 0 and below 1"),
        (INTEGER, (2.0,), "an integer"),
        (WHOLE, (-1, 2.5), "an integer of at least 0"),
        (AT_LEAST_ONE, (0, -1, 2.0, np.float64(3)), "an integer of at least 1"),
        (optional(POSITIVE), (0,), "a number above 0, or None"),
    ],
)
def test_refused_settings(rule, values, expected):
    kinds = (True, np.bool_(False), math.nan, torch.tensor(math.nan), "3", [1], (0.5,), 1j, torch.ones(1))
    for value in (*values, *kinds):
        with pytest.raises(ArgumentError) as refusal:
            setting("SGD", "lr", value, rule)
        assert str(refusal.value) == f"SGD: lr is {value!r}; expected {expected}"
        assert refusal.value.__cause__ is None


def test_a_number_too_large_for_a_float():
    with pytest.raises(ArgumentError, match="expected a number above 0"):
        setting("SGD", "lr", 10**400, POSITIVE)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (FLAG, (1, 0, "yes", None, math.nan), "True or False"),
        (WORD, ("day", 1, None, True, math.nan, np.zeros(2), []), "'step' or 'epoch'"),
        (one_of("auto", "lines", None), ("no", True, 0), "'auto', 'lines' or None"),
        (instance_of(dict, "a dict"), ([], None, dict), "a dict"),
    ],
)
def test_refused_words_and_objects(rule, values, expected):
    for value in values:
        with pytest.raises(ArgumentError) as refusal:
            setting("TrainerConfig", "unit", value, rule)
        assert str(refusal.value) == f"TrainerConfig: unit is {value!r}; expected {expected}"


def test_within_names_the_owner_and_keeps_plain_values():
    @dataclass(frozen=True)
    class Wave:
        steps: int
        final: float = 0

        def __post_init__(self):
            within(self, steps=AT_LEAST_ONE, final=FRACTION)

    assert repr(Wave(np.int64(3))).endswith("Wave(steps=3, final=0.0)")
    with pytest.raises(ArgumentError, match=r"^Wave: final is '0'; expected a number from 0 to 1$"):
        Wave(3, "0")
