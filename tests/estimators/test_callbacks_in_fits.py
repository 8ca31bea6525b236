"""Callbacks and the clipping of gradients."""

import pytest
from estimator_cases import CLASSES, MLPS, Watcher, X, each_kind, fitted, heard, ours, quietly, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal

import lincoln as lnc
from lincoln import SGD, Callback
from lincoln.callbacks import ParameterRecorder


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
    """As in scikit-learn, the fit ends with what was learned until then, and with a warning."""
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


def test_callbacks_may_ask_the_estimator_in_its_first_fit():
    class Ask(lnc.Callback):
        def epoch_end(self, trainer):
            self.shape = mlp.predict_proba(X).shape

    ask = Ask()
    mlp = ours("MLPClassifier", callbacks=[ask])
    quietly(mlp.fit, X, CLASSES)
    assert ask.shape == (60, 3)
