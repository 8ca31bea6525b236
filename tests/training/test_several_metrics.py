"""Several metrics in a run, and a metric in the loss's place for early stopping and the best checkpoint."""

import copy
from functools import partial

import numpy as np
import pytest
import sklearn.metrics
import torch
from training_cases import X, Y, lnc_accuracy, run, trainer

import lincoln as lnc
from lincoln import Callback, Dataset, History
from lincoln.errors import ArgumentError, MatchError
from lincoln.metrics import accuracy, f1, log_loss

VAL = Dataset(X.double(), Y)


class Given(Callback):
    """Make a metric return one value after another."""

    def __init__(self, values):
        self.values = iter(values)

    def score(self, targets, predictions):
        return next(self.values)


def metric_of(values, name="score"):
    given = Given(values)

    def metric(targets, predictions):
        return given.score(targets, predictions)

    metric.__name__ = name
    return metric


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        ([accuracy, f1], ["accuracy", "f1"]),
        ((accuracy, f1, log_loss), ["accuracy", "f1", "log_loss"]),
        ({"acc": accuracy, "F": f1}, ["acc", "F"]),
        (accuracy, ["accuracy"]),
        ([accuracy], ["accuracy"]),
        (partial(f1), ["metric"]),
    ],
    ids=str,
)
def test_each_is_kept_by_name(metric, names):
    history = run(val=VAL, metric=metric, measure_training=True).train()
    assert history.metric == names[0]
    assert list(history.metrics_by_name) == list(history.val_metrics_by_name) == names
    assert history.metrics is history.metrics_by_name[names[0]]
    assert history.val_metrics is history.val_metrics_by_name[names[0]]
    for name in names:
        assert [epoch for epoch, _ in history.metrics_by_name[name]] == [1, 2, 3]
        assert [value for _, value in history.metrics_by_name[name]] == history.val_metrics_by_name[name]
        assert f"validation {name} {history.val_metrics_by_name[name][-1]:.4f}" in repr(history)
    frame = history.to_dataframe()
    assert {*names, *(f"val_{name}" for name in names)} <= set(frame.columns)
    assert History.from_dict(history.to_dict()) == history


def test_their_values_are_those_of_one_at_a_time():
    both = run(val=VAL, metric=[accuracy, lnc_accuracy]).train()
    assert both.val_metrics == run(val=VAL, metric=accuracy).train().val_metrics
    assert both.val_metrics_by_name["lnc_accuracy"] == run(val=VAL, metric=lnc_accuracy).train().val_metrics


def test_a_partial_of_a_metric_keeps_its_marks():
    assert run(val=VAL, metric=partial(accuracy)).train().val_metrics == run(val=VAL, metric=accuracy).train().val_metrics


def test_lines_show_each(capsys):
    run(val=VAL, metric=[accuracy, f1], progress="lines").train()
    assert all(" accuracy 0." in line and " f1 0." in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (3, r"Trainer: metric is 3; expected a function of \(targets, predictions\), a list"),
        ("accuracy", "Trainer: metric is 'accuracy'; expected a function"),
        ([accuracy, "f1"], "Trainer: metric holds 'f1'; expected a function"),
        ([], r"Trainer: metric is empty"),
        ({}, r"Trainer: metric is empty"),
        ([accuracy, accuracy], "two metrics are named 'accuracy'; expected names that differ: give a dict"),
        ([partial(f1), partial(accuracy)], "two metrics are named 'metric'"),
        ({"loss": f1}, "a metric is named 'loss'.*expected another"),
        ({3: f1}, "metric holds the name 3; expected words"),
        ({"": f1}, "metric holds the name ''; expected words"),
    ],
    ids=str,
)
def test_other_metrics_are_refused_when_the_trainer_is_made(metric, message):
    with pytest.raises(ArgumentError, match=message):
        run(metric=metric)


@pytest.mark.parametrize("value", [None, "high", np.zeros(3), [1.0]], ids=str)
def test_a_metric_must_return_a_number(value):
    with pytest.raises(ArgumentError, match=r"metric score: returned .*; expected a number"):
        run(val=VAL, metric=metric_of([value] * 3)).train()


def test_numbers_of_other_kinds_become_plain(tmp_path):
    values = [np.float32(0.5), torch.tensor(0.25), np.int64(1)]
    history = run(val=VAL, metric=metric_of(values), checkpoint_folder=tmp_path).train()
    assert history.val_metrics == [0.5, 0.25, 1.0]
    assert {type(value) for value in history.val_metrics} == {float}


UP_AND_DOWN = [0.5, 0.7, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_patience_and_best_weights_on_a_metric(tmp_path, mode):
    values = UP_AND_DOWN if mode == "max" else [-value for value in UP_AND_DOWN]
    kept = []

    class Keep(Callback):
        def epoch_end(self, trainer):
            kept.append(trainer.model.flatten()[0].clone())

    watching = run(
        val=VAL,
        metric=[accuracy, metric_of(values)],
        watch="score",
        mode=mode,
        patience=2,
        num_epochs=20,
        callbacks=[Keep()],
        checkpoint_folder=tmp_path,
    )
    history = watching.train()
    assert history.stopped == "no better score in 2 epochs (patience)"
    assert history.epochs == 5
    assert history.best_epoch == 3
    assert history.watched == values[:5]
    assert torch.equal(watching.model.flatten()[0], kept[2])
    best = lnc.load(tmp_path / "best.safetensors")
    assert torch.equal(best.flatten()[0], kept[2])


def test_min_delta_counts_on_a_metric_too():
    values = [0.5, 0.505, 0.51, 0.515, 0.6, 0.7]
    history = run(
        val=VAL, metric=metric_of(values), watch="score", mode="max", patience=3, min_delta=0.05, num_epochs=6
    ).train()
    assert history.epochs == 4


def test_without_validation_data_the_training_data_are_measured():
    history = run(metric=metric_of(UP_AND_DOWN), watch="score", mode="max", patience=2, num_epochs=20).train()
    assert history.metrics == list(enumerate(UP_AND_DOWN[:5], 1))
    assert history.best_epoch == 3


def test_epochs_without_a_number_are_never_the_best():
    values = [float("nan"), 0.5, float("nan"), 0.4]
    with pytest.warns(UserWarning, match="epoch 1: the score is nan"):
        history = run(val=VAL, metric=metric_of(values), watch="score", mode="max", patience=2, num_epochs=9).train()
    assert history.best_epoch == 2
    assert history.stopped == "no better score in 2 epochs (patience); it was nan in 1 of them"


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        *((getattr(lnc.metrics, name), True) for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "r2")),
        (lnc.metrics.true_positive_rate, True),
        *((getattr(lnc.metrics, name), False) for name in ("log_loss", "mean_squared_error", "mean_absolute_error")),
        (lnc.metrics.false_positive_rate, False),
        (partial(f1), True),
        (sklearn.metrics.f1_score, True),
        (sklearn.metrics.mean_squared_error, False),
        (sklearn.metrics.log_loss, False),
        (partial(sklearn.metrics.fbeta_score, beta=2), True),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_metrics_say_which_values_are_better(metric, higher):
    history = run(metric={"one": metric}, watch="one").history
    assert history.higher_is_better is higher


def test_a_metric_of_which_that_is_not_known_asks_for_the_mode():
    def agreement(targets, predictions):
        return 0.0

    with pytest.raises(ArgumentError, match="whether a higher agreement is better is not known; expected mode='max' or"):
        run(metric=agreement, watch="agreement")
    assert run(metric=agreement, watch="agreement", mode="max").history.higher_is_better
    agreement.higher_is_better = False
    assert not run(metric=agreement, watch="agreement").history.higher_is_better


def test_what_cannot_be_watched_is_refused():
    with pytest.raises(ArgumentError, match=r"watch is 'f1'; expected .*\('loss', 'accuracy'\)"):
        run(metric=accuracy, watch="f1")
    with pytest.raises(ArgumentError, match=r"watch is 'f1'; expected 'loss' or a metric of this run \('loss'\)"):
        run(watch="f1")
    with pytest.raises(ArgumentError, match="mode is 'max' and watch is 'loss'"):
        run(mode="max")


def test_a_resumed_run_watches_the_same(tmp_path):
    def make(values, **changes):
        metrics = [accuracy, metric_of(values)]
        settings = {"watch": "score", "mode": "max", "patience": 3, "checkpoint_folder": tmp_path} | changes
        return run(val=VAL, metric=metrics, **settings)

    make(UP_AND_DOWN, num_epochs=4).train()
    resumed = make(UP_AND_DOWN[4:], num_epochs=20)
    resumed.resume()
    history = resumed.train()
    assert history.epochs == 6
    assert history.best_epoch == 3
    assert history.val_metrics_by_name["score"] == UP_AND_DOWN[:6]
    for changes in ({"watch": "loss", "mode": "auto"}, {"mode": "min"}, {"watch": "accuracy"}):
        with pytest.raises(MatchError, match="has watch"):
            make([], **changes).resume()


def test_the_schedule_still_looks_at_the_loss():
    plateau = lnc.schedules.reduce_on_plateau(factor=0.5, patience=0, threshold=0.0)
    histories = [
        run(val=VAL, metric=metric_of(range(9)), schedule=copy.deepcopy(plateau), num_epochs=8, **watch).train()
        for watch in ({}, {"watch": "score", "mode": "max"})
    ]
    assert histories[0].learning_rates == histories[1].learning_rates


@pytest.mark.parametrize("callbacks", [Callback(), 3, "callback", {Callback()}, [Callback], [print], [None]], ids=str)
def test_callbacks_must_be_a_list_of_callbacks(callbacks):
    with pytest.raises(ArgumentError, match="Trainer: callbacks is .*; expected"):
        trainer(callbacks=callbacks)
