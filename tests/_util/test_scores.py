"""Scores from counts and ranks against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as theirs

from lincoln import metrics


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("classes", [2, 3, 12])
@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_rates_of_classes(seed, classes, n):
    rng = np.random.default_rng(seed)
    t, p = rng.integers(classes, size=(2, n))
    binary = np.isin(np.concatenate([t, p]), (0, 1)).all() or len(np.unique([t, p])) == 2
    average = "binary" if binary else "macro"
    if binary and not np.isin([t, p], (0, 1)).all():
        t, p = (one == max(t.max(), p.max()) for one in (t, p))
    for ours, score in (
        (metrics.precision, theirs.precision_score),
        (metrics.recall, theirs.recall_score),
        (metrics.f1, theirs.f1_score),
    ):
        assert ours(t, p) == pytest.approx(score(t, p, average=average, zero_division=0.0), rel=1e-14)


@pytest.mark.parametrize("seed", range(10))
def test_rates_of_several_labels(seed):
    t, p = np.random.default_rng(seed).integers(2, size=(2, 40, 4))
    t[:, 3] = p[:, 3] = 0
    for ours, score in ((metrics.precision, theirs.precision_score), (metrics.f1, theirs.f1_score)):
        assert ours(t, p) == pytest.approx(score(t, p, average="macro", zero_division=0.0), rel=1e-14)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("levels", [1, 2, 5, 10**6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_area_under_the_curve_with_ties(seed, levels, dtype):
    rng = np.random.default_rng(seed)
    t = np.append(rng.integers(2, size=200), [0, 1])
    p = (rng.integers(levels, size=202) / levels).astype(dtype)
    assert metrics.roc_auc(t, p) == pytest.approx(theirs.roc_auc_score(t, p), rel=1e-12)


def test_the_area_for_each_of_several_classes():
    rng = np.random.default_rng(0)
    t, p = np.arange(90) % 3, rng.dirichlet(np.ones(3), 90)
    expected = theirs.roc_auc_score(t, p, multi_class="ovr")
    assert metrics.roc_auc(t, p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(2,), (50,), (50, 3)])
def test_determination(dtype, shape):
    rng = np.random.default_rng(0)
    t, p = ((10 * rng.normal(size=shape)).astype(dtype) for _ in range(2))
    assert metrics.r2(t, p) == pytest.approx(theirs.r2_score(t, p), rel=1e-6)
    t[...] = 3
    assert metrics.r2(t, p) == theirs.r2_score(t, p)
    assert metrics.r2(t, t) == 1
