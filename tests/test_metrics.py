"""Metrics against their definitions, for every form of targets and predictions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import lincoln as lnc
from lincoln import metrics
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError
from lincoln.layers import Dense, Sequential

# A clinic's 20 tests: 7 true negatives, 2 false alarms, 1 missed, 10 found
T = np.array([0] * 9 + [1] * 11)
P = np.array([0] * 7 + [1] * 2 + [0] + [1] * 10)
RATES = {
    metrics.accuracy: 17 / 20,
    metrics.precision: 10 / 12,
    metrics.recall: 10 / 11,
    metrics.true_positive_rate: 10 / 11,
    metrics.false_positive_rate: 2 / 9,
    metrics.f1: 20 / 23,
}
CLASSIFIED = list(RATES)
SCORED = [metrics.roc_auc, metrics.log_loss]
MEASURED = [metrics.mean_squared_error, metrics.mean_absolute_error, metrics.r2]


def name(function):
    return function.__name__


@pytest.mark.parametrize("metric", CLASSIFIED, ids=name)
@pytest.mark.parametrize(
    "form",
    {
        "arrays": np.asarray,
        "lists": list,
        "floats": lambda a: a.astype(np.float32),
        "bools": lambda a: a.astype(bool),
        "columns": lambda a: a.reshape(-1, 1),
        "objects": lambda a: a.astype(object),
        "tensors": torch.tensor,
        "bfloat16": lambda a: torch.tensor(a).bfloat16(),
        "requires grad": lambda a: torch.tensor(a).float().requires_grad_(),
        "strings": lambda a: np.array(["benign", "malignant"])[a],
        "bytes": lambda a: np.array([b"benign", b"malignant"])[a],
        "string objects": lambda a: np.array(["benign", "malignant"], dtype=object)[a],
        "minus one and one": lambda a: 2 * a - 1,
    }.items(),
    ids=lambda item: item[0],
)
def test_binary_rates(metric, form):
    value = metric(form[1](T), form[1](P))
    assert type(value) is float
    assert value == pytest.approx(RATES[metric])


@pytest.mark.parametrize("metric", [*CLASSIFIED, *SCORED, *MEASURED], ids=name)
def test_every_device_and_mixed_forms(metric, device):
    with torch.inference_mode():
        targets, predictions = torch.tensor(T, device=device), torch.tensor(P, device=device)
        assert metric(targets, predictions.view(-1, 1)) == pytest.approx(metric(T, P))
    assert metric(targets, P) == pytest.approx(metric(list(T), predictions))


def test_confusion_matrix():
    assert metrics.confusion_matrix(T, P).tolist() == [[7, 2], [1, 10]]
    assert metrics.confusion_matrix([0, 0], [0, 0]).tolist() == [[2, 0], [0, 0]], "0 and 1 belong together"
    assert metrics.confusion_matrix(["a", "c", "c"], ["c", "c", "b"]).tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 1]]
    assert metrics.confusion_matrix([3, 3], [3, 3]).tolist() == [[2]]


@given(st.integers(2, 5).flatmap(lambda c: st.lists(st.tuples(st.integers(0, c), st.integers(0, c)), min_size=1)))
def test_several_classes_are_averaged_without_weights(pairs):
    """Macro: the mean over classes of each class against the rest; a class in neither does not count."""
    t, p = np.array([[*pairs, (0, 2)]][0]).T
    classes = np.unique([t, p])
    if len(classes) == 2:
        return
    for metric in CLASSIFIED[1:]:
        each = [metric(t == c, p == c) for c in classes]
        assert metric(t, p) == pytest.approx(np.mean(each)), metric.__name__
    counts = [[np.sum((t == row) & (p == column)) for column in classes] for row in classes]
    assert metrics.confusion_matrix(t, p).tolist() == counts


def test_several_labels_an_example():
    t, p = np.array([[1, 0], [1, 1], [0, 1]]), np.array([[1, 0], [0, 1], [0, 0]])
    assert metrics.recall(t, p) == pytest.approx(0.5)
    assert metrics.precision(torch.tensor(t), torch.tensor(p)) == pytest.approx(1)
    assert metrics.false_positive_rate(1 - t, 1 - p) == pytest.approx(0.5)
    assert metrics.roc_auc(t, p + [[0.5, -3]]) == pytest.approx(0.75), "scores do as well as probabilities"
    with pytest.raises(DimensionError, match="one label at a time"):
        metrics.confusion_matrix(t, p)
    with pytest.raises(DimensionError, match="argmax"):
        metrics.log_loss(t, p)
    with pytest.raises(DataError, match=r"targets hold 2 \(at \(0, 0\)\); expected 0 and 1 for several labels per"):
        metrics.recall(2 * t, p)
    with pytest.raises(DataError, match=r"targets of shape \(3, 2\) have dtype <U1; expected numbers"):
        metrics.recall(t.astype("U1"), p)


@pytest.mark.parametrize("metric", CLASSIFIED[1:], ids=name)
def test_nothing_to_divide_by(metric):
    assert metric([0, 0], [0, 0]) == 0
    assert metrics.false_positive_rate([1, 1], [1, 0]) == 0


def test_log_loss_of_the_course():
    """-(log 0.9 + log 0.8) / 2; with the arguments swapped torch's BCELoss says 15.0000, here it is refused."""
    assert metrics.log_loss([1, 0], [0.9, 0.2]) == pytest.approx(0.1643, abs=5e-5)
    with pytest.raises(DataError, match=r"targets hold 0\.9 \(at 0\); expected classes.*were the arguments swapped\?"):
        metrics.log_loss([0.9, 0.2], [1, 0])
    assert round(nn.BCELoss()(torch.tensor([1.0, 0.0]), torch.tensor([0.9, 0.2])).item(), 4) == 15.0


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix, *SCORED], ids=name)
def test_swapped_arguments(metric):
    with pytest.raises(DataError, match=r"targets hold 0\.25 \(at 1\); expected classes.*swapped"):
        metric(torch.tensor([0.0, 0.25, 1.0]), [0, 1, 1])
    three = torch.softmax(torch.randn(4, 3), -1)
    with pytest.raises((DataError, MatchError), match=r"swapped|expected the same"):
        metric(three, [0, 1, 2, 0])


def test_log_loss_is_that_of_the_losses():
    t = torch.randint(0, 2, (50, 1))
    p = torch.rand(50, 1, dtype=torch.float64)
    assert metrics.log_loss(t, p) == pytest.approx(nn.functional.binary_cross_entropy(p, t.double()).item())
    assert metrics.log_loss(t, torch.cat([1 - p, p], 1)) == pytest.approx(metrics.log_loss(t, p)), "as predict_proba has it"
    z = torch.randn(50, 4)
    y = torch.randint(0, 3, (50,))
    expected = nn.functional.cross_entropy(z, y).item()
    assert metrics.log_loss(y, torch.softmax(z, -1)) == pytest.approx(expected, rel=1e-5)
    letters = np.array(["a", "b", "c"])[y]
    assert metrics.log_loss(letters, torch.softmax(z[:, :3], -1)) == metrics.log_loss(y, torch.softmax(z[:, :3], -1))
    assert metrics.log_loss([1, 1], [1.0, 0.0]) == pytest.approx(36.04 / 2, abs=0.01)
    assert metrics.log_loss([1, 1], [0.5, 0.5]) == pytest.approx(np.log(2)), "one of the classes 0 and 1 is enough"


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=1))
def test_roc_auc_is_the_chance_of_the_right_order(pairs):
    t, z = np.array([*pairs, (True, 0), (False, 1)]).T
    positive, negative = z[t == 1][:, None], z[t == 0]
    expected = np.mean((positive > negative) + 0.5 * (positive == negative))
    assert metrics.roc_auc(t, z) == pytest.approx(expected), "log-odds do"
    assert metrics.roc_auc(t, 1 / (1 + np.exp(-z.astype(float)))) == pytest.approx(expected)


def test_roc_auc_of_several_classes():
    y, p = torch.arange(60) % 3, torch.softmax(torch.randn(60, 3), -1)
    each = [metrics.roc_auc(y == c, p[:, c]) for c in range(3)]
    assert metrics.roc_auc(y, p) == pytest.approx(np.mean(each))
    with pytest.raises(DataError, match="targets hold no examples of class 2"):
        metrics.roc_auc(y % 2, p)


@pytest.mark.parametrize(
    ("t", "p", "message"),
    [
        ([0, 0], [0.1, 0.2], "no examples of the positive class; expected both kinds"),
        ([1, 1], [0.1, 0.2], "only examples of the positive class"),
        ([7, 7], [0.1, 0.2], r"targets hold 1 classes; probabilities of shape \(n,\)"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "targets hold 3 classes"),
        ([0, 1, 3], np.eye(3), r"targets hold 3 \(at 2\); expected 0 to 2"),
        (["a", "b", "b"], np.eye(3), "targets hold 2 classes, probabilities are of 3"),
        ([0, 1, 2], 2 * np.eye(3), r"probabilities hold 2 \(at \(0, 0\)\); expected 0 to 1"),
        ([0, 1, 2], np.eye(3) / 2, r"probabilities, summed, hold 0\.5 \(at 0\); expected 1"),
    ],
)
def test_roc_auc_refuses(t, p, message):
    with pytest.raises(DataError, match=message):
        metrics.roc_auc(t, p)


def test_log_odds_are_no_probabilities():
    with pytest.raises(
        DataError, match=r"probabilities hold 2\.5 \(at 1\); expected 0 to 1: send log-odds through a sigmoid"
    ):
        metrics.log_loss([0, 1], [0.5, 2.5])


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.3, 0.5, 0.8, 0.95, 1.0]),
    st.booleans(),
)
def test_threshold_is_the_best_of_all(pairs, expected, by_recall):
    t, p = np.array([*pairs, (True, 10)]).T
    p = p / 20
    held, sought = (metrics.recall, metrics.precision) if by_recall else (metrics.precision, metrics.recall)
    every = [(sought(t, p >= c), held(t, p >= c), c) for c in np.unique(p) if held(t, p >= c) >= expected]
    given = {"recall" if by_recall else "precision": expected}
    if every:
        assert metrics.choose_threshold(t, p, **given) == max(every)[2]
    else:
        best = max(metrics.precision(t, p >= c) for c in np.unique(p))
        with pytest.raises(DataError, match=f"no threshold reaches precision {expected:g}; the best is {best:.4g}, with"):
            metrics.choose_threshold(t, p, **given)


def test_threshold_for_a_classifier(breast_cancer):
    x, y = breast_cancer
    model = lnc.Classifier(Sequential(Dense(4), Dense(1)))
    model.fit(x, y, epochs=20, print_every=None, progress=False, seed=0)
    threshold = metrics.choose_threshold(y, model.predict_proba(x), recall=0.99)
    assert metrics.recall(y, model.predict(x, threshold)) >= 0.99
    assert metrics.recall(y, model.predict(x, threshold + 0.2)) < 0.99
    careful = metrics.choose_threshold(torch.tensor(y), torch.tensor(model.predict_proba(x)[:, 1:]), precision=0.999)
    assert metrics.precision(y, model.predict(x, careful)) == 1
    assert 0 < threshold < careful < 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ArgumentError, "got neither; expected either recall or precision"),
        ({"recall": 0.9, "precision": 0.9}, ArgumentError, "got recall and precision"),
        ({"recall": 95}, ArgumentError, "recall is 95; expected a fraction between 0 and 1"),
        ({"precision": float("nan")}, ArgumentError, "precision is nan"),
    ],
)
def test_threshold_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        metrics.choose_threshold([0, 1], [0.1, 0.2], **arguments)


def test_threshold_without_positives():
    with pytest.raises(DataError, match="no examples of the positive class"):
        metrics.choose_threshold([0, 0], [0.1, 0.2], recall=0.5)
    with pytest.raises(DimensionError, match="take one class at a time"):
        metrics.choose_threshold([0, 1, 2], np.eye(3), recall=0.5)


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 3), (5, 2, 2)])
def test_numbers(shape):
    t, p = torch.randn(shape).double(), torch.randn(shape).double()
    assert metrics.mean_squared_error(t, p) == pytest.approx(nn.functional.mse_loss(p, t).item())
    assert metrics.mean_absolute_error(t, p) == pytest.approx(nn.functional.l1_loss(p, t).item())
    unexplained = ((t - p) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)
    assert metrics.r2(t, p) == pytest.approx(1 - unexplained.mean().item())
    assert metrics.r2(t, t) == 1


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix, *SCORED, *MEASURED], ids=name)
def test_nan_and_nothing(metric):
    nan = [0.0, float("nan"), 1.0]
    with pytest.raises(DataError, match=r"targets hold nan \(at 1\); expected finite numbers"):
        metric(nan, [0, 1, 1])
    with pytest.raises(DataError, match=r"(predictions|probabilities) hold nan \(at 1\); expected finite numbers"):
        metric([0, 1, 1], torch.tensor(nan))
    with pytest.raises(DataError, match=r"targets: no data \(shape \(0,\)\)"):
        metric([], [])
    with pytest.raises(DataError, match=r"targets of shape \(2,\) have dtype object; expected numbers"):
        metric([None, "a"], [0, 1])


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix, *SCORED, *MEASURED], ids=name)
def test_different_shapes(metric):
    """Different shapes are refused, never broadcast."""
    with pytest.raises(MatchError, match=r"targets have shape \(2,\), (predictions|probabilities) \(3,\)"):
        metric([0, 1], [[0], [1], [1]])


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix], ids=name)
def test_predictions_that_are_probabilities(metric):
    with pytest.raises(DataError, match=r"predictions hold 0\.9 \(at 0\); expected classes.*probabilities >= 0\.5"):
        metric([1, 0], [0.9, 0.2])


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix], ids=name)
def test_strings_against_numbers(metric):
    """`accuracy` took them for wrong predictions."""
    with pytest.raises(DataError, match="targets are strings and predictions numbers"):
        metric(["a", "b"], [0, 1])
    with pytest.raises(DataError, match="targets are numbers and predictions strings"):
        metric(torch.tensor([0, 1]), np.array(["0", "1"]))


@pytest.mark.parametrize("metric", [*CLASSIFIED, metrics.confusion_matrix], ids=name)
def test_missing_labels(metric):
    pandas = pytest.importorskip("pandas")
    for missing in (None, pandas.NA):
        with pytest.raises(DataError, match=r"targets of shape \(3,\) have dtype object; expected numbers.*at 1"):
            metric(pandas.Series([1, missing, 0], dtype=object), [1, 0, 1])
    with pytest.raises(DataError, match=r"predictions hold nan \(at 2\)"):
        metric([1, 0, 1], np.array([1, 0, np.nan], dtype=object))
    with pytest.raises(DataError, match="masked values, the first at 1"):
        metric(np.ma.masked_array([1, -9999, 0], mask=[0, 1, 0]), [1, 0, 1])


BIG = {
    "int64": np.array([2**53, 2**53 + 1]),
    "negative": np.array([-(2**63), -(2**63) + 1]),
    "uint64": np.array([2**63, 2**63 + 1], dtype=np.uint64),
    "uint64, small and large": np.array([1, 2**64 - 1], dtype=np.uint64),
    "list": [2**63, -1],
    "list of huge": [10**400, 10**400 + 1],
    "tensor": torch.tensor([2**62, 2**62 + 1]),
    "objects": np.array([2**70, 2**70 + 1], dtype=object),
    "scalars": [np.uint64(2**64 - 1), np.int64(-3)],
}


@pytest.mark.parametrize("both", BIG.values(), ids=BIG.keys())
def test_large_integers_are_not_rounded(both):
    """Classes went through float64, which takes 2^53 and 2^53 + 1 for one."""

    def chosen(indices):
        picked = [both[int(i)] for i in indices]
        return (
            torch.stack(picked)
            if isinstance(both, torch.Tensor)
            else np.array(picked)
            if hasattr(both, "dtype")
            else picked
        )

    first_is_larger = int(both[0]) > int(both[1])
    t, p = (1 - T, 1 - P) if first_is_larger else (T, P)
    for metric, value in RATES.items():
        assert metric(chosen(t), chosen(p)) == pytest.approx(value), metric
    assert metrics.confusion_matrix(chosen(t), chosen(p)).tolist() == [[7, 2], [1, 10]]
    assert metrics.accuracy(chosen(T), chosen(1 - T)) == metrics.f1(chosen(T), chosen(1 - T)) == 0


def test_integers_of_two_dtypes():
    large, small = np.array([2**53 + 1, 5], dtype=np.uint64), np.array([2**53, 5], dtype=np.int64)
    assert metrics.accuracy(large, small) == metrics.accuracy(small, large) == 0.5
    assert metrics.confusion_matrix(large, small).shape == (3, 3)
    top = np.array([2**64 - 1, 0], dtype=np.uint64)
    assert metrics.accuracy(top, np.array([-1, 0])) == 0.5
    assert metrics.accuracy(top, top.tolist()) == metrics.f1(top, torch.tensor(top)) == 1


def test_as_the_metric_of_a_model(breast_cancer):
    x, y = breast_cancer
    model = lnc.Classifier(Sequential(Dense(4), Dense(1)), metric=metrics.false_positive_rate)
    history = model.fit(x, y, epochs=3, print_every=None, progress=False, seed=0)
    assert history.metrics[-1][1] == metrics.false_positive_rate(y, model.predict(x))
    assert history.metric == "false_positive_rate"
