"""scikit-learn's scores from counts and ranks, without its checks of the data, which take a millisecond a call."""

from __future__ import annotations

import numpy as np


def counts(t: np.ndarray, p: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each class the examples that are it and predicted so, that are predicted so, and that are it.

    t and p are indices of classes, (n,), or hold 0 or 1 for each of several labels, (n, classes).
    """
    if t.ndim > 1:
        return (t * p).sum(0), p.sum(0), t.sum(0)
    right, predicted, true = (np.bincount(one, minlength=classes) for one in (t[t == p], p, t))
    return right, predicted, true


def fractions(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, with 0 / 0 = 0."""
    found = np.zeros(len(whole))
    np.divide(part, whole, out=found, where=whole != 0)
    return found


def area_under_roc(t: np.ndarray, p: np.ndarray) -> float:
    """Return the area under the ROC curve of scores p, (n,), for t of 0 and 1, (n,), which holds both."""
    order = np.argsort(p, kind="stable")[::-1]
    t, p = t[order], p[order]
    last = np.append(np.flatnonzero(p[1:] != p[:-1]), len(p) - 1)  # of the examples of each score
    true = np.append(0, np.cumsum(t)[last])
    false = np.append(0, last + 1) - true
    doubled = np.sum(np.diff(false) * (true[1:] + true[:-1]))  # whole numbers, so without rounding
    return float(doubled / (2 * true[-1] * false[-1]))


def determination(t: np.ndarray, p: np.ndarray) -> float | None:
    """R^2 = 1 - sum (t - p)^2 / sum (t - mean)^2, the mean over outputs, for t and p of (n, outputs).

    Return None where scikit-learn has a rule of its own: for fewer than two examples, other dtypes, and constant targets.
    """
    if len(t) < 2 or t.dtype != p.dtype or t.dtype not in (np.float32, np.float64):
        return None
    spread = np.sum((t - np.average(t, axis=0)) ** 2, axis=0)
    return float(np.average(1 - np.sum((t - p) ** 2, axis=0) / spread)) if spread.all() else None
