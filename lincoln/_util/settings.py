"""Validation of settings: the arguments of optimizers, schedules, layers, losses, loaders and the trainer's config.

    within(self, lr=NON_NEGATIVE, nesterov=FLAG)                        # attributes of an object under construction
    epochs = setting("Classifier.fit", "epochs", epochs, AT_LEAST_ONE)    # an argument of a function

Every refusal is an ArgumentError with one message, `{owner}: {argument} is {value!r}; expected {what}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from lincoln.errors import ArgumentError


@dataclass(frozen=True)
class Rule:
    """What a setting must be, with `expected` as the words for the message.

    `plain` turns the setting into a plain Python value, or raises TypeError, ValueError or OverflowError if it is of
    another kind; `holds` says whether that value is allowed.
    """

    expected: str
    plain: Callable[[Any], Any]
    holds: Callable[[Any], bool] = lambda value: True


def within(owner: object, /, **rules: Rule) -> None:
    """Check the attributes of `owner` by `rules` and make them plain Python values. Raises ArgumentError."""
    for name, rule in rules.items():
        vars(owner)[name] = setting(owner, name, getattr(owner, name), rule)  # past __setattr__: owner may be frozen


def setting(owner: object, name: str, value: Any, rule: Rule) -> Any:
    """Return `value` as a plain Python value. Raises ArgumentError unless `rule` holds for it."""
    try:
        plain = rule.plain(value)
    except (TypeError, ValueError, OverflowError):
        raise unexpected(owner, name, value, rule.expected) from None
    if not rule.holds(plain):
        raise unexpected(owner, name, value, rule.expected)
    return plain


def unexpected(owner: object, name: str, value: object, expected: str) -> ArgumentError:
    """Return the error for an argument. `owner` is the object it belongs to, or the name of a function or class."""
    title = owner if isinstance(owner, str) else type(owner).__name__
    found = repr(value)
    return ArgumentError(f"{title}: {name} is {found if len(found) <= 200 else f'{found[:200]}...'}; expected {expected}")


def real(value: Any) -> float:
    """Return a real number as a float. Raises TypeError for anything else, bool included."""
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    return float(value)


def integer(value: Any) -> int:
    """Return an integer as an int. Raises TypeError for anything else, bool and 2.0 included."""
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError
    return int(value)


def _flag(value: Any) -> bool:
    value = _scalar(value)
    if not isinstance(value, bool):
        raise TypeError
    return value


def _scalar(value: Any) -> Any:
    """Return what a numpy scalar, 0-d array or 0-d tensor holds; return anything else unchanged."""
    return value.item() if getattr(value, "shape", None) == () else value


FLAG = Rule("True or False", _flag)
INTEGER = Rule("an integer", integer)
WHOLE = Rule("an integer of at least 0", integer, lambda n: n >= 0)
AT_LEAST_ONE = Rule("an integer of at least 1", integer, lambda n: n >= 1)
POSITIVE = Rule("a number above 0", real, lambda x: x > 0)
NON_NEGATIVE = Rule("a number of at least 0", real, lambda x: x >= 0)
FINITE_POSITIVE = Rule("a finite number above 0", real, lambda x: 0 < x < math.inf)
FINITE_NON_NEGATIVE = Rule("a finite number of at least 0", real, lambda x: 0 <= x < math.inf)
FRACTION = Rule("a number from 0 to 1", real, lambda x: 0 <= x <= 1)
FRACTION_BELOW_ONE = Rule("a number of at least 0 and below 1", real, lambda x: 0 <= x < 1)


def one_of(*choices: str | None) -> Rule:
    """Return the rule that a setting is one of `choices`."""
    *first, last = map(repr, choices)

    def chosen(value: Any) -> str | None:
        if not (value is None or isinstance(value, str)):
            raise TypeError
        return choices[choices.index(value)]  # ValueError if it is none of them; an equal str subclass becomes plain

    return Rule(f"{', '.join(first)} or {last}", chosen)


def instance_of(kind: type | tuple[type, ...], expected: str) -> Rule:
    """Return the rule that a setting is an instance of `kind`; `expected` names it with its article, "a Layer"."""
    return Rule(expected, lambda value: value, lambda value: isinstance(value, kind))


def optional(rule: Rule) -> Rule:
    """Return the rule that a setting is None or what `rule` says."""
    return Rule(
        f"{rule.expected}, or None",
        lambda value: None if value is None else rule.plain(value),
        lambda value: value is None or rule.holds(value),
    )
