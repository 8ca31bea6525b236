"""The metrics of a run by name, and whether a higher value of the watched one is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor

from lincoln._util.joined import Joined
from lincoln.errors import ArgumentError
from lincoln.losses import Loss
from lincoln.metrics import Metric

MetricArgument = Metric | Sequence[Metric] | Mapping[str, Metric]
"""A metric, several that go by their functions' names, or several by names of the user's."""

_EXPECTED = "a function of (targets, predictions), a list of such functions, or a dict of name to function"
_RESERVED = ("loss", "val_loss", "learning_rate")  # these names mean something else in histories and evaluations
_BY_ENDING = {"_score": True, "_error": False, "_loss": False, "_deviance": False}
"""scikit-learn's rule: functions that end in `_score` are to be maximized, the others minimized."""


def named_metrics(owner: str, metric: Any) -> dict[str, Metric]:
    """Return metrics by name: none for None; a function's own name, or "metric"; those of a list or a dict in order.

    Raises ArgumentError, in the name of `owner`, for anything else, and for a name that occurs twice.
    """
    if metric is None:
        return {}
    if isinstance(metric, Mapping):
        return _checked(owner, list(metric.items()))
    if isinstance(metric, list | tuple):
        return _checked(owner, [(name_of(one), one) for one in metric])
    if not callable(metric):
        raise ArgumentError(f"{owner}: metric is {metric!r:.100}; expected {_EXPECTED}")
    return {name_of(metric): metric}


def name_of(metric: Metric) -> str:
    """Return the name of a metric: that of the function, or "metric"."""
    return str(getattr(metric, "__name__", "metric"))


def mark(metric: Metric, name: str) -> Any:
    """Return a mark of a metric, such as `on_classes`, or None. `functools.partial` keeps those of its function."""
    while isinstance(metric, partial) and not hasattr(metric, name):
        metric = metric.func
    return getattr(metric, name, None)


class Measured:
    """Metrics over the batches of an evaluation, of whose predictions only what they need is kept.

    A metric of classes (`metric.on_classes`) needs decided predictions. One with methods `kept` and `judge` says itself
    what: metric(targets, predictions) is judge(targets, kept(predictions)). Without metrics nothing is kept.
    """

    def __init__(self, metrics: Mapping[str, Metric], loss: Loss) -> None:
        self._ways = {name: _way(metric, loss) for name, metric in metrics.items()}
        self._kept = {kept: Joined() for kept, _ in self._ways.values()}
        self._targets = Joined()

    def add(self, targets: Tensor, predictions: Tensor) -> None:
        """Note a batch: targets in the form that the loss takes, and predictions."""
        if self._kept:
            self._targets.add(targets)
        for kept, parts in self._kept.items():
            parts.add(kept(predictions))

    def values(self) -> dict[str, float]:
        """Return each metric's value. Raises ArgumentError for a value that is no number."""
        targets = self._targets.whole()
        whole = {kept: parts.whole() for kept, parts in self._kept.items()}
        return {name: as_number(name, judge(targets, whole[kept])) for name, (kept, judge) in self._ways.items()}


def values(metrics: Mapping[str, Metric], loss: Loss, targets: Tensor, predictions: Tensor) -> dict[str, float]:
    """Return each metric's value. Those of classes get decided predictions.

    Raises ArgumentError for a value that is no number.
    """
    measured = Measured(metrics, loss)
    measured.add(targets, predictions)
    return measured.values()


def _way(metric: Metric, loss: Loss) -> tuple[Callable[[Tensor], Tensor], Metric]:
    """Return what the metric needs of a prediction, and the function that judges that."""
    if hasattr(metric, "kept") and hasattr(metric, "judge"):
        return metric.kept, metric.judge
    return (loss.decide if mark(metric, "on_classes") else _as_it_is), metric


def _as_it_is(predictions: Tensor) -> Tensor:
    return predictions


def as_number(name: str, value: Any) -> float:
    """Return what a metric returned as a float. Raises ArgumentError if it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(f"metric {name}: returned {value!r:.100}; expected a number") from None


def mode_of(watch: str, mode: str, metrics: Mapping[str, Metric]) -> Literal["min", "max"]:
    """Return "max" if higher values of what is watched are better, else "min".

    Raises ArgumentError for a metric that is not among those of the run, or of which that is not known.
    """
    if watch == "loss":
        if mode == "max":
            raise ArgumentError("TrainerConfig: mode is 'max' and watch is 'loss'; expected 'auto' or 'min': losses fall")
        return "min"
    if watch not in metrics:
        names = ", ".join(map(repr, ["loss", *metrics][:10]))
        raise ArgumentError(
            f"TrainerConfig: watch is {watch!r:.100}; expected 'loss' or a metric of this run ({names:.200})"
        )
    if mode != "auto":
        return "max" if mode == "max" else "min"
    higher = higher_is_better(metrics[watch])
    if higher is None:
        raise ArgumentError(
            f"TrainerConfig: mode is 'auto', and whether a higher {watch:.100} is better is not known; expected mode='max' "
            f"or mode='min' (or give the function an attribute higher_is_better = True or False)"
        )
    return "max" if higher else "min"


def higher_is_better(metric: Metric) -> bool | None:
    """Return what the metric says of itself, or scikit-learn's names do; None if that is not known."""
    marked = mark(metric, "higher_is_better")
    if marked is not None:
        return bool(marked)
    while isinstance(metric, partial):
        metric = metric.func
    name, module = str(getattr(metric, "__name__", "")), str(getattr(metric, "__module__", ""))
    if not module.startswith("sklearn."):
        return None
    return next((better for ending, better in _BY_ENDING.items() if name.endswith(ending)), None)


def _checked(owner: str, pairs: list[tuple[Any, Any]]) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for name, metric in pairs:
        if not callable(metric):
            raise ArgumentError(f"{owner}: metric holds {metric!r:.100}; expected {_EXPECTED}")
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"{owner}: metric holds the name {name!r:.100}; expected words, such as 'f1'")
        if name in _RESERVED:
            raise ArgumentError(
                f"{owner}: a metric is named {name!r}, which histories have a meaning for; expected another"
            )
        if name in found:
            raise ArgumentError(
                f"{owner}: two metrics are named {name!r:.100}; expected names that differ: give a dict of name to function"
            )
        found[str(name)] = metric
    if not found:
        raise ArgumentError(f"{owner}: metric is empty; expected {_EXPECTED}, or None")
    return found
