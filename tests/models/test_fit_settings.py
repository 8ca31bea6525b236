"""What `fit` takes beside the data: weights, callbacks, a schedule, early stopping, several metrics."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_iris
from sklearn.utils.class_weight import compute_sample_weight

import lincoln as lnc
from lincoln import Callback, Classifier, Dataset, Regressor, Trainer, TrainerConfig, schedules
from lincoln.errors import ArgumentError, DataError
from lincoln.layers import Dense, Linear, Sequential
from lincoln.metrics import accuracy, f1, log_loss

LOPSIDED = 0.15  # the share of ones


def lopsided(n=200):
    x, y = two_blobs(n)
    keep = (y == 0) | (np.random.default_rng(0).random(n) < LOPSIDED)
    return x[keep], y[keep]


def weights_after(x, y, **changes):
    model = classifier()
    quiet_fit(model, x, y, epochs=5, **changes)
    return model.network.flatten()[0]


def trained(x, y, w):
    """Return the weights that the trainer ends with on these data."""
    network = Sequential(Dense(5), Dense(1))
    data = Dataset(torch.tensor(x).float(), torch.tensor(y), torch.as_tensor(w).float())
    config = TrainerConfig(5, 32, seed=0, progress=None)
    Trainer(network, config, lnc.LogLoss, partial(lnc.SGD, lr=0.03), data).train()
    return network.flatten()[0]


FORMS = {
    "array": np.asarray,
    "list": list,
    "tensor": torch.as_tensor,
    "series": pd.Series,
    "column": lambda w: w[:, None],
    "float16": lambda w: w.astype(np.float16),
    "objects": lambda w: w.astype(object),
}


@pytest.mark.parametrize("form", FORMS)
def test_sample_weights_are_the_trainers(form):
    x, y = two_blobs()
    w = np.random.default_rng(1).integers(0, 8, len(y)) / 4
    given = FORMS[form](w)
    before = repr(given)
    assert torch.equal(weights_after(x, y, sample_weight=given), trained(x, y, w))
    assert repr(given) == before, "arguments are left as they were"


def test_a_weight_of_two_is_an_example_twice():
    x, y = two_blobs(40)
    w = np.where(np.arange(40) < 10, 2, 1)
    twice = np.repeat(np.arange(40), w)
    runs = [weights_after(x, y, sample_weight=w, batch_size=40), weights_after(x[twice], y[twice], batch_size=50)]
    torch.testing.assert_close(*runs)


@pytest.mark.parametrize("names", [["no", "yes"], [0, 1], [False, True], [0.0, 1.0]])
def test_class_weights_are_scikit_learns(names):
    names = np.array(names)
    x, y = lopsided()
    labels = names[y]
    for class_weight in ("balanced", {names[0]: 1, names[1]: 5}, {names[1].item(): np.float32(2.5)}):
        found = weights_after(x, labels, class_weight=class_weight)
        assert torch.equal(found, trained(x, y, compute_sample_weight(class_weight, labels)))


def test_both_weights_are_multiplied():
    x, y = lopsided()
    w = np.random.default_rng(1).random(len(y))
    both = w * compute_sample_weight("balanced", y)
    torch.testing.assert_close(weights_after(x, y, sample_weight=w, class_weight="balanced"), trained(x, y, both))


def test_balanced_weights_find_the_rare_class():
    x, y = lopsided()
    x = x * 0.4
    recalls = []
    for class_weight in (None, "balanced"):
        model = classifier(metric=lnc.metrics.recall)
        quiet_fit(model, x, y, epochs=60, class_weight=class_weight)
        recalls.append(model.score(x, y))
    assert recalls[1] > recalls[0] + 0.05


def test_class_weights_of_several_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.05))
    quiet_fit(model, iris.data, names, class_weight={"setosa": 0, "virginica": 3})
    assert "setosa" not in model.predict(iris.data[50:])


BAD_WEIGHTS = [
    ({"sample_weight": np.ones(3)}, DataError, r"sample_weight: shape \(3,\); expected one weight for each of 40 examples"),
    ({"sample_weight": 2.0}, DataError, r"sample_weight"),
    ({"sample_weight": np.full(40, -1.0)}, DataError, "sample_weight: .*-1.*0"),
    ({"sample_weight": np.r_[np.ones(39), np.nan]}, DataError, "sample_weight: NaN.* 39"),
    ({"sample_weight": np.r_[np.ones(39), 1e300]}, DataError, "sample_weight: .* 39"),
    ({"sample_weight": np.zeros(40)}, DataError, "sample_weight: all weights are 0"),
    ({"sample_weight": ["a"] * 40}, DataError, "sample_weight"),
    (
        {"class_weight": "even"},
        ArgumentError,
        "class_weight is 'even'; expected None, 'balanced', or a dict of class",
    ),
    ({"class_weight": [1, 2]}, ArgumentError, r"class_weight is \[1, 2\]; expected None"),
    ({"class_weight": {2: 1.0}}, DataError, r"class_weight: 2 is no class of the labels \(0, 1\)"),
    ({"class_weight": {"1": 1.0}}, DataError, "class_weight: '1' is no class"),
    ({"class_weight": {1: -1}}, ArgumentError, r"class_weight\[1\] is -1; expected a finite number of at least 0"),
    ({"class_weight": {1: np.nan}}, ArgumentError, r"class_weight\[1\] is nan"),
    ({"class_weight": {1: np.inf}}, ArgumentError, r"class_weight\[1\] is inf"),
    ({"class_weight": {1: "two"}}, ArgumentError, r"class_weight\[1\] is 'two'"),
    ({"class_weight": {0: 0, 1: 0}}, DataError, "class_weight: all weights are 0"),
    ({"callbacks": Callback()}, ArgumentError, "fit: callbacks is .*; expected a list of callbacks"),
    ({"callbacks": [Callback]}, ArgumentError, r"fit: callbacks is .*write Callback\(...\)"),
    ({"schedule": 0.5}, ArgumentError, "schedule is 0.5"),
    ({"patience": 0}, ArgumentError, "patience is 0"),
    ({"watch": "f1"}, ArgumentError, r"watch is 'f1'; expected 'loss' or a metric of this run \('loss', 'accuracy'\)"),
    ({"paitence": 3}, TypeError, "unexpected keyword argument 'paitence'"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_WEIGHTS, ids=str)
def test_what_cannot_be_used_is_refused_with_nothing_changed(bad, error, message):
    x, y = two_blobs(40)
    model = classifier()
    quiet_fit(model, x, y, epochs=1)
    weights, steps, random = model.network.flatten()[0].clone(), model.optimizer.steps, torch.random.get_rng_state()
    with pytest.raises(error, match=message) as refusal:
        quiet_fit(model, x, y, **bad)
    assert len(str(refusal.value)) <= 500
    assert torch.equal(model.network.flatten()[0], weights)
    assert model.optimizer.steps == steps
    assert torch.equal(torch.random.get_rng_state(), random)


def test_weights_need_one_class_an_example():
    x, y = two_blobs(40)
    with pytest.raises(DataError, match=r"class_weight: labels have shape \(40, 2\)"):
        quiet_fit(classifier(network=Dense(2)), x, np.stack([y, 1 - y], 1), class_weight="balanced")
    with pytest.raises(ArgumentError, match="Regressor: class_weight is 'balanced'; expected None"):
        quiet_fit(Regressor(Linear(1)), x, y, class_weight="balanced")


def test_weights_do_not_reach_a_batch_gen_of_ones_own():
    x, y = two_blobs(40)
    model = classifier(batch_gen=lambda features, labels, size: [(features, labels)])
    with pytest.raises(ArgumentError, match=r"let it yield \(features, labels, weights\)"):
        quiet_fit(model, x, y, sample_weight=np.ones(40))
    weighted = classifier(batch_gen=lambda features, labels, size: [(features, labels, np.full(40, 0.5))])
    quiet_fit(weighted, x, y)


def test_a_regressors_weights():
    x, y = two_blobs(100)
    w = np.where(y, 1.0, 0.0)
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=0.05))
    quiet_fit(model, x, np.where(y, 3.0, 100.0), sample_weight=w, epochs=100)
    assert model.predict(x[y == 1]) == pytest.approx(3.0, abs=0.8)


def test_callbacks_schedule_and_clipping():
    x, y = two_blobs()
    seen = []

    class Look(Callback):
        def epoch_end(self, trainer):
            seen.append((trainer.epoch, trainer.config.clip_norm))
            if trainer.epoch == 3:
                trainer.stop("seen enough")

    history = quiet_fit(
        classifier(), x, y, callbacks=[Look()], schedule=schedules.constant(0.5), schedule_unit="epoch", clip_norm=0.1
    )
    assert seen == [(1, 0.1), (2, 0.1), (3, 0.1)]
    assert history.stopped == "seen enough"
    assert history.learning_rates == [0.015] * 3


@pytest.mark.parametrize("make", [classifier, partial(Regressor, Linear(1), optimizer=partial(lnc.SGD, lr=0.01))])
def test_patience(make):
    x, y = two_blobs()
    model = make()
    history = quiet_fit(model, x, y.astype(float), validation_data=(x, 1.0 - y), epochs=50, patience=3)
    assert history.stopped == "no better loss in 3 epochs (patience)"
    assert history.epochs == history.best_epoch + 3
    assert model.evaluate(x, 1.0 - y)["loss"] == pytest.approx(min(history.val_losses), rel=1e-4)


def test_patience_on_a_metric_of_labels():
    x, y = two_blobs()
    names = np.array(["no", "yes"])[y]
    model = classifier(metric=[log_loss, accuracy])
    encoded = classifier(metric=[log_loss, accuracy])
    history = quiet_fit(encoded, x, y, validation_data=(x, 1 - y), epochs=50, patience=4, watch="accuracy")
    assert history.stopped == "no better accuracy in 4 epochs (patience)"
    assert history.watched == history.val_metrics_by_name["accuracy"]
    model.metric = accuracy
    history = quiet_fit(model, x, names, epochs=50, patience=4, watch="accuracy")
    assert history.watched[history.best_epoch - 1] == max(history.watched) == model.score(x, names)


def test_several_metrics(capsys):
    x, y = two_blobs()
    model = classifier(metric={"acc": accuracy, "F": f1, "nats": log_loss})
    history = model.fit(x, y, epochs=4, print_every=7, validation_data=(x, y), seed=0)
    assert list(history.metrics_by_name) == list(history.val_metrics_by_name) == ["acc", "F", "nats"]
    found = model.evaluate(x, y)
    assert list(found) == ["loss", "acc", "F", "nats"]
    assert {name: values[-1][1] for name, values in history.metrics_by_name.items()} == pytest.approx(
        {name: found[name] for name in ("acc", "F", "nats")}
    )
    assert model.score(x, y) == found["acc"] == accuracy(y, model.predict(x))
    assert found["nats"] == pytest.approx(found["loss"], rel=1e-5)
    for line in capsys.readouterr().out.splitlines():
        assert "  Acc: 0." in line
        assert "..  F: 0." in line
        assert "..  Nats: 0." in line


def test_no_metric():
    x, y = two_blobs()
    model = classifier(metric=None)
    history = quiet_fit(model, x, y, validation_data=(x, y))
    assert history.metrics == history.val_metrics == []
    assert list(model.evaluate(x, y)) == ["loss"]
    with pytest.raises(ArgumentError, match="metric is None, so there is no score"):
        model.score(x, y)


def test_a_wrong_metric_is_refused_when_the_model_is_made():
    for metric in ("accuracy", [accuracy, accuracy], {"loss": f1}, []):
        with pytest.raises(ArgumentError, match="Classifier: .*metric"):
            classifier(metric=metric)


def test_the_history_of_an_interrupted_fit():
    x, y = two_blobs()

    class Interrupt(Callback):
        def epoch_end(self, trainer):
            if trainer.epoch == 2:
                raise KeyboardInterrupt

    model = classifier()
    with pytest.raises(KeyboardInterrupt):
        quiet_fit(model, x, y, callbacks=[Interrupt()])
    assert model.history_.epochs == 2
    assert quiet_fit(model, x, y) is model.history_
