"""What the estimators have beyond scikit-learn's: validation data, callbacks, a clipped gradient, checked settings."""

import numpy as np
import pytest
import torch
from estimator_cases import BINARY, MLPS, NETWORKS, NUMBERS, TARGETS, WEIGHTS, X, heard, ours, quietly, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss, r2_score

from lincoln import SGD, Callback
from lincoln.callbacks import ParameterRecorder

each_kind = pytest.mark.parametrize("kind", [*MLPS, *NETWORKS])
each_mlp = pytest.mark.parametrize("kind", MLPS)
each_classifier = pytest.mark.parametrize("kind", ["MLPClassifier", "NetworkClassifier"])


def fitted(kind, y=None, **settings):
    return quietly(ours(kind, **settings).fit, X, y_for(kind) if y is None else y)


# ---- validation_data

OUTSIDE = np.random.RandomState(8).randn(25, 5)


class Watcher(Callback):
    """The network's loss on other data, measured on the outside."""

    def __init__(self, measure):
        self.measure = measure
        self.found = []
        self.epochs = 0

    def epoch_end(self, trainer):
        self.epochs += 1
        self.found.append(self.measure(trainer))


def outside_labels(kind):
    return (OUTSIDE[:, 0] > 0).astype(int) if kind.endswith("Classifier") else OUTSIDE[:, 0]


def probability(trainer):
    return trainer.loss.predict(torch.from_numpy(OUTSIDE)).numpy()


@pytest.mark.parametrize("weights", [None, WEIGHTS[:25]], ids=["plain", "weighted"])
def test_validation_loss_of_a_classifier(weights):
    y = outside_labels("MLPClassifier")
    watcher = Watcher(lambda trainer: log_loss(y, probability(trainer)[:, 0], sample_weight=weights))
    given = (OUTSIDE, y) if weights is None else (OUTSIDE, y, weights)
    estimator = fitted("MLPClassifier", validation_data=given, callbacks=[watcher], alpha=0)
    assert_allclose(estimator.validation_loss_curve_, watcher.found)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_ == 8


@pytest.mark.parametrize("weights", [None, WEIGHTS[:25]], ids=["plain", "weighted"])
def test_validation_loss_of_a_regressor(weights):
    y = outside_labels("MLPRegressor")
    watcher = Watcher(lambda trainer: np.average((probability(trainer)[:, 0] - y) ** 2, weights=weights) / 2)
    given = (OUTSIDE, y) if weights is None else [OUTSIDE, y, weights]
    estimator = fitted("MLPRegressor", validation_data=given, callbacks=[watcher], alpha=0)
    assert_allclose(estimator.validation_loss_curve_, watcher.found)


@each_kind
def test_validation_data_change_nothing_but_what_is_watched(kind):
    watched, plain = fitted(kind, validation_data=(OUTSIDE, outside_labels(kind))), fitted(kind)
    assert_array_equal(watched.predict(X), plain.predict(X))
    assert plain.validation_loss_curve_ is None
    assert watched.loss_curve_ == plain.loss_curve_


@each_kind
def test_validation_data_take_the_place_of_the_split(kind):
    y = outside_labels(kind)
    score = (lambda p: accuracy_score(y, p > 0.5)) if kind.endswith("Classifier") else lambda p: r2_score(y, p)
    watcher = Watcher(lambda trainer: score(probability(trainer)[:, 0]))
    settings = {"validation_data": (OUTSIDE, y), "early_stopping": True, "tol": 0.01, "n_iter_no_change": 3, "max_iter": 40}
    estimator = fitted(kind, callbacks=[watcher], **settings)
    assert_allclose(estimator.validation_scores_, watcher.found)
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert_allclose(estimator.score(OUTSIDE, y), estimator.best_validation_score_)
    assert estimator.t_ == estimator.n_iter_ * len(X)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_


@pytest.mark.parametrize(
    "wrong",
    [
        (X,),
        (X, BINARY, WEIGHTS, 1),
        (X, BINARY[:5]),
        (X[:, :2], BINARY),
        (X * np.nan, BINARY),
        (X, BINARY + 5),
        3,
        "ab",
        (X, None),
    ],
    ids=["one", "four", "lengths", "features", "nan", "classes", "number", "word", "none"],
)
@each_classifier
def test_wrong_validation_data_are_refused(kind, wrong):
    estimator = ours(kind, validation_data=wrong)
    with pytest.raises(ValueError):  # noqa: PT011  the words are scikit-learn's, and differ
        quietly(estimator.fit, X, BINARY)
    assert not hasattr(estimator, "network_")


# ---- callbacks and gradient_clip


@each_kind
def test_callbacks_see_each_epoch(kind):
    watcher, recorder = Watcher(lambda trainer: trainer.history.losses[-1]), ParameterRecorder()
    estimator = fitted(kind, callbacks=(watcher, recorder))
    assert watcher.found == estimator.loss_curve_
    assert watcher.epochs == 8
    assert {len(norms) for norms in recorder.record.values()} == {8}
    assert estimator.history_.losses == estimator.loss_curve_


class StopAt(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def epoch_end(self, trainer):
        if len(trainer.history.losses) == self.epochs:
            trainer.stop("enough")


@each_kind
def test_a_callback_can_stop_the_fit(kind):
    estimator = ours(kind, callbacks=[StopAt(3)])
    assert heard(estimator.fit, X, y_for(kind)) == []
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3


class InterruptAt(StopAt):
    def epoch_end(self, trainer):
        if len(trainer.history.losses) == self.epochs:
            raise KeyboardInterrupt


@each_kind
def test_an_interrupted_fit_is_a_fit(kind):
    """As with scikit-learn's: what was learned until then is kept, with a warning."""
    estimator = ours(kind, callbacks=[InterruptAt(3)])
    assert heard(estimator.fit, X, y_for(kind)) == [(UserWarning, "Training interrupted by user.")]
    assert len(estimator.loss_curve_) == estimator.n_iter_ == 3
    assert_array_equal(estimator.predict(X), fitted(kind, max_iter=3).predict(X))


@each_kind
def test_gradient_clip(kind):
    lengths = []
    for clip in (None, 1e9, 0.1, 1e-3):
        settings = {"solver": "sgd", "momentum": 0} if kind in MLPS else {"optimizer": SGD, "lr": 0.1}
        before, after = (fitted(kind, max_iter=n, gradient_clip=clip, **settings).network_.flatten()[0] for n in (1, 3))
        lengths.append((after - before).norm().item())
    assert lengths[0] == pytest.approx(lengths[1])
    assert lengths[1] > lengths[2] > lengths[3] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"gradient_clip": 0},
        {"gradient_clip": -1},
        {"callbacks": 3},
        {"callbacks": [3]},
        {"device": 3},
        {"validation_data": 1},
    ],
    ids=str,
)
@each_kind
def test_wrong_settings_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ours(kind, **wrong).fit(X, y_for(kind))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, "a", None])
@each_mlp
def test_wrong_dropout_is_refused(kind, rate):
    with pytest.raises(ValueError, match="dropout"):
        ours(kind, dropout=rate).fit(X, y_for(kind))


def test_several_outputs_weigh_alike():
    estimator = fitted("NetworkRegressor", TARGETS, max_iter=200, lr=0.05)
    assert estimator.predict(X).shape == (60, 2)
    assert estimator.score(X, TARGETS) > 0.5
    assert fitted("MLPRegressor", NUMBERS).predict(X).shape == (60,)
