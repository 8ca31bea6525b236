"""Classifier and Regressor: what they take, give and refuse."""

import copy
import pickle
import re
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.metrics import f1_score, mean_absolute_error

import lincoln as lnc
from lincoln import Classifier, Regressor
from lincoln.errors import ArgumentError, DataError, DivergenceError, LincolnError, MatchError, StateError
from lincoln.layers import Dense, Linear, Sequential

LINE = re.compile(r"Epoch (\d+)\.\. Train loss: (\d+\.\d{4})\.\.  Accuracy: (\d+\.\d{3})%")


def two_blobs(n=200, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, 4)) + 2 * y[:, None], y


def classifier(**changes):
    settings = {"network": Sequential(Dense(5), Dense(1)), "optimizer": partial(lnc.SGD, lr=0.03)}
    return Classifier(**settings | changes)


def quiet_fit(model, x, y, **changes):
    return model.fit(x, y, **{"epochs": 20, "print_every": None, "seed": 0} | changes)


# ---- What it does


def test_binary(device):
    x, y = two_blobs()
    model = classifier(device=device)
    history = quiet_fit(model, x, y)
    assert model.score(x, y) > 0.95
    p = model.predict_proba(x)
    assert p.shape == (200, 2)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    predictions = model.predict(x)
    assert predictions.shape == (200,)
    assert predictions.dtype == y.dtype
    np.testing.assert_array_equal(predictions, (p[:, 1] >= 0.5).astype(int))
    assert model.predict(x, threshold=0.9).sum() < predictions.sum()
    model.threshold = lnc.metrics.choose_threshold(y, p[:, 1], recall=1.0)
    assert (model.predict(x)[y == 1] == 1).all()
    assert model.score(x, y) == pytest.approx((model.predict(x) == y).mean())
    model.threshold = 0.5
    assert model.evaluate(x, y)["loss"] < history.losses[0]
    assert model.classes_.tolist() == [0, 1]
    assert next(model.network.parameters()).device.type == device


def test_multiclass():
    iris = load_iris()
    model = Classifier(Sequential(Dense(10, "tanh"), Dense(3, "softmax")), lnc.CrossEntropy, partial(lnc.Adam, lr=0.02))
    history = quiet_fit(model, iris.data, iris.target, epochs=100)
    assert model.score(iris.data, iris.target) > 0.95
    assert model.predict_proba(iris.data).shape == (150, 3)
    assert set(model.predict(iris.data)) == {0, 1, 2}
    assert history.losses[-1] < 0.2 < history.losses[0]
    soft = np.eye(3)[iris.target] * 0.9 + 0.1 / 3
    assert quiet_fit(model, iris.data, soft).losses[-1] < 0.6
    assert model.score(iris.data, soft) > 0.95


def test_multiclass_from_logits():
    iris = load_iris()
    model = Classifier(Dense(3, None), partial(lnc.CrossEntropy, from_logits=True), partial(lnc.Adam, lr=0.1))
    quiet_fit(model, iris.data, iris.target, epochs=50)
    np.testing.assert_allclose(model.predict_proba(iris.data).sum(1), 1, rtol=1e-5)
    assert model.score(iris.data, iris.target) > 0.9


def test_multilabel():
    x, y = make_multilabel_classification(300, n_features=10, n_classes=4, random_state=0)
    model = Classifier(Sequential(Dense(20, "relu"), Dense(4)), optimizer=partial(lnc.Adam, lr=0.01))
    quiet_fit(model, lnc.standardize(x), y, epochs=100)
    x = lnc.standardize(x)
    predictions = model.predict(x)
    assert predictions.shape == y.shape
    assert (predictions == y).mean() > 0.8
    assert model.predict_proba(x).shape == (300, 4)
    assert model.score(x, y) == pytest.approx((predictions == y).all(1).mean())


@pytest.mark.parametrize("kind", [list, np.array, partial(np.array, dtype=object)])
def test_string_labels(kind):
    x, y = two_blobs()
    names = kind([["cat", "dog"][label] for label in y])
    model = classifier()
    quiet_fit(model, x, names, validation_data=(x[:10], names[:10]))
    assert model.classes_.tolist() == ["cat", "dog"]
    assert model.predict(x[:4]).tolist() == ["cat", "dog", "cat", "dog"]
    assert model.score(x, names) > 0.95
    with pytest.raises(DataError, match=r"'cow' is no class of the training data \(cat, dog\)"):
        model.score(x[:1], ["cow"])


def test_three_string_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, iris.data, names, epochs=50)
    assert set(model.predict(iris.data)) == {"setosa", "versicolor", "virginica"}


def test_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, -2.0, 0.5] + 3
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=0.1))
    history = quiet_fit(model, x, y, validation_data=(x[:50], y[:50]))
    assert model.predict(x).shape == (300,)
    assert model.score(x, y) > 0.999
    assert history.metric == "r2"
    both = np.stack([y, -y], 1)
    pair = Regressor(Linear(2), optimizer=partial(lnc.SGD, lr=0.1), metric=mean_absolute_error)
    quiet_fit(pair, x, both)
    assert pair.predict(x).shape == (300, 2)
    assert pair.score(x, both) < 0.05
    assert pair.evaluate(x, both).keys() == {"loss", "mean_absolute_error"}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_])
@pytest.mark.parametrize("tensors", [False, True])
def test_any_numbers(dtype, tensors):
    x, y = two_blobs()
    x = (x > 1).astype(dtype) if dtype is np.bool_ else np.clip(x * 10, 0, 100).astype(dtype)
    y = y.astype(dtype)
    given = (torch.from_numpy(x), torch.from_numpy(y)) if tensors else (x, y)
    model = classifier()
    quiet_fit(model, *given, epochs=3)
    predictions = model.predict(given[0])
    assert isinstance(predictions, torch.Tensor if tensors else np.ndarray)
    assert predictions.dtype == given[1].dtype
    assert isinstance(model.predict_proba(given[0]), torch.Tensor if tensors else np.ndarray)


def test_double_precision_network():
    x, y = two_blobs()
    model = classifier(network=Sequential(Dense(5), Dense(1)).to(dtype=torch.float64))
    quiet_fit(model, x, y)
    assert model.predict_proba(x).dtype == np.float64


def test_images_reach_the_network_as_images():
    class Flatten(lnc.Layer):
        def _forward(self, input):
            self.saved = input.shape
            assert input.dim() == 4
            return input.flatten(1)

        def _backward(self, output_grad):
            return output_grad.view(self.saved)

    x, y = two_blobs(40)
    model = classifier(network=Sequential(Flatten(), Dense(1)))
    quiet_fit(model, x.reshape(40, 1, 2, 2), y)
    assert model.score(x.reshape(40, 1, 2, 2), y) > 0.9


# ---- How it is told


def test_loss_and_optimizer_as_class_factory_and_instance():
    x, y = two_blobs()
    weights = []
    for form in ("class", "factory", "instance"):
        network = Sequential(Dense(5), Dense(1))
        loss, optimizer = {
            "class": (lnc.LogLoss, lnc.Adam),
            "factory": (partial(lnc.LogLoss, reduction="sum"), lambda net: lnc.Adam(net, lr=1e-3)),
            "instance": (lnc.LogLoss(network), lnc.Adam(network)),
        }[form]
        quiet_fit(Classifier(network, loss, optimizer), x, y)
        weights.append(network.flatten()[0])
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


def test_metric_is_used():
    x, y = two_blobs()
    model = classifier(metric=f1_score)
    history = quiet_fit(model, x, y, validation_data=(x, y))
    assert history.metric == "f1_score"
    assert model.score(x, y) == pytest.approx(f1_score(y, model.predict(x))) == history.metrics[-1][1]
    assert history.val_metrics[-1] == pytest.approx(model.score(x, y))


def test_metrics_of_probabilities_get_probabilities():
    x, y = two_blobs()
    model = classifier(metric=lnc.metrics.roc_auc)
    quiet_fit(model, x, y, epochs=3)
    assert model.score(x, y) == pytest.approx(lnc.metrics.roc_auc(y, model.predict_proba(x)[:, 1]))
    iris = load_iris()
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, metric=lnc.metrics.log_loss)
    quiet_fit(model, iris.data, iris.target, epochs=3)
    assert model.score(iris.data, iris.target) == pytest.approx(model.evaluate(iris.data, iris.target)["loss"], rel=1e-4)


def test_divergence_is_seen_before_a_metric_stumbles_over_it():
    x, y = two_blobs()
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=1e30))
    with pytest.raises(DivergenceError):
        model.fit(x, y.astype(float), epochs=20, print_every=1)
    assert torch.isfinite(model.network.flatten()[0]).all()


def test_metric_sees_labels_as_given():
    x, y = two_blobs()
    names = np.array(["no", "yes"])[y]
    seen = []

    def metric(labels, predictions):
        seen.append((set(labels), set(predictions)))
        return 0.0

    quiet_fit(classifier(metric=metric), x, names, validation_data=(x, names), epochs=1)
    assert all(labels | predictions <= {"no", "yes"} for labels, predictions in seen)


def test_batch_gen_is_used():
    x, y = two_blobs()
    sizes = []

    def first_half(features, labels, size):
        for start in range(0, len(features) // 2, size):
            sizes.append(size)
            yield features[start : start + size], labels[start : start + size]

    history = quiet_fit(classifier(batch_gen=first_half), x, y, batch_size=25, epochs=3)
    assert sizes == [25] * 12
    assert history.steps == 12


def test_a_second_fit_goes_on():
    x, y = two_blobs()
    model = classifier()
    first = quiet_fit(model, x, y)
    second = quiet_fit(model, x, y)
    assert second.losses[0] < first.losses[1]


def test_seed_repeats_everything_and_leaves_torchs_numbers_alone():
    x, y = two_blobs()
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.random.get_rng_state()
        model = classifier()
        history = quiet_fit(model, x, y, seed=7)
        assert torch.equal(torch.random.get_rng_state(), before)
        runs.append((model.network.flatten()[0], history.losses))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    other = classifier()
    quiet_fit(other, x, y, seed=8)
    assert not torch.equal(other.network.flatten()[0], runs[0][0])


def test_without_a_seed_torchs_numbers_are_used():
    x, y = two_blobs()
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        model = classifier()
        quiet_fit(model, x, y, seed=None)
        runs.append(model.network.flatten()[0])
    assert torch.equal(*runs)


# ---- What it shows


def test_the_notebooks_line(capsys):
    x, y = two_blobs(100)
    model = classifier()
    history = model.fit(x, y, epochs=10, batch_size=30, print_every=8, seed=0)
    lines = capsys.readouterr().out.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert [int(match[1]) for match in found] == [2, 4, 6, 8, 10]
    assert [match[3] for match in found] == [f"{value * 100:.3f}" for _, value in history.metrics[:-1]]
    means = [sum(history.losses[i : i + 2]) / 2 for i in range(0, 10, 2)]
    assert [float(match[2]) for match in found] == pytest.approx(means, abs=1e-4), "loss per example since the last line"
    model.fit(x, y, epochs=2, batch_size=50, print_every=2, validation_data=(x, y), seed=0)
    assert capsys.readouterr().out.splitlines()[-1].count("..  Val loss: ") == 1


def test_silence(capsys):
    x, y = two_blobs()
    for print_every in (None, 0):
        classifier().fit(x, y, epochs=2, print_every=print_every)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("progress", [None, True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_bar_only_on_a_terminal(capsys, monkeypatch, terminal, progress):
    monkeypatch.setattr("lincoln.models.base.on_terminal", lambda: terminal)
    x, y = two_blobs()
    classifier().fit(x, y, epochs=3, print_every=None, progress=progress, validation_data=(x, y))
    out = capsys.readouterr().out
    assert ("3/3" in out) == ("val loss 0." in out) == (terminal and progress is not False)
    with pytest.raises(DivergenceError):
        classifier(optimizer=partial(lnc.SGD, lr=float("inf"))).fit(x, y, epochs=3, progress=progress)


def test_history():
    x, y = two_blobs()
    history = quiet_fit(classifier(), x, y, epochs=5, validation_data=(x[:50], y[:50]))
    assert len(history.losses) == len(history.val_losses) == len(history.val_metrics) == history.epochs == 5
    assert history.steps == 5 * 7
    assert history.seconds > 0
    assert history.metric == "accuracy"
    assert history.metrics[-1][0] == 5
    assert history.stopped == "all 5 epochs done"
    assert re.fullmatch(
        r"History\(5 epochs, 35 steps, \d\.\d\d s, loss 0\.\d{4}, accuracy 0\.\d{4}, validation loss .*\)", repr(history)
    )


def test_losses_are_averaged_by_example():
    """The last batch, of 8, counts for 8 examples; at learning rate 0 every epoch's loss is that of the whole data."""
    x, y = two_blobs(200)
    for reduction in ("sum", "mean"):
        model = classifier(loss=partial(lnc.LogLoss, reduction=reduction), optimizer=partial(lnc.SGD, lr=0.0))
        history = quiet_fit(model, x, y, epochs=2, batch_size=64, validation_data=(x, y))
        whole = lnc.LogLoss(model.network)(torch.tensor(x).float(), torch.tensor(y)).item() / 200
        assert history.losses == pytest.approx([whole] * 2)
        assert history.val_losses == pytest.approx([whole] * 2)
        assert model.evaluate(x, y)["loss"] == pytest.approx(whole)


def test_validation_leaves_no_trace():
    x, y = two_blobs()
    weights = []
    for validation in (None, (x[:33], y[:33])):
        model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
        quiet_fit(model, x, y, validation_data=validation)
        weights.append(model.network.flatten()[0])
    assert torch.equal(*weights)


def test_copies():
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
    quiet_fit(model, x, y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(x), model.predict_proba(x))
        assert other.loss.network is other.optimizer.network is other.network is not model.network
        quiet_fit(other, x, y)
    assert "Classifier(" in repr(model)


def test_predicting_many_takes_chunks():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    many = np.tile(x, (400, 1))
    np.testing.assert_allclose(model.predict_proba(many)[-200:], model.predict_proba(x), rtol=1e-5)


def test_auto_device():
    assert classifier(device="auto").device.type == ("cuda" if torch.cuda.is_available() else "cpu")


# ---- What it refuses


def with_value(x, value):
    x = x.copy()
    x[3, 2] = value
    return x


BAD = {
    "nan features": (
        lambda x, y: (with_value(x, np.nan), y),
        DataError,
        r"features: NaN or inf.* first \(nan\) at \(3, 2\)",
    ),
    "infinite features": (lambda x, y: (with_value(x, -np.inf), y), DataError, r"features: .*\(-inf\) at \(3, 2\)"),
    "overflowing features": (lambda x, y: (with_value(x, 1e300), y), DataError, r"features: .*inf"),
    "nan labels": (lambda x, y: (x, np.where(np.arange(len(y)) == 5, np.nan, y)), DataError, r"labels: .*\(nan\) at 5"),
    "labels 1 and 2": (
        lambda x, y: (x, y + 1),
        DataError,
        r"labels: 1, 2 found, LogLoss expects 0 and 1: write labels == 2",
    ),
    "labels -1 and 1": (lambda x, y: (x, 2 * y - 1), DataError, r"labels: -1, 1 found"),
    "one class": (lambda x, y: (x, y * 0), DataError, r"labels: one class only \(0\)"),
    "one string class": (lambda x, y: (x, np.full(len(y), "cat")), DataError, "one class only"),
    "three string classes": (
        lambda x, y: (x, np.array(["a", "b", "c"])[np.arange(len(y)) % 3]),
        DataError,
        "3 softmax outputs",
    ),
    "mixed labels": (lambda x, y: (x, np.array(["a", 1] * 100, dtype=object)), DataError, "a mix of int, str"),
    "missing string label": (lambda x, y: (x, np.array(["a", None] * 100, dtype=object)), DataError, "a mix of NoneType"),
    "lengths": (lambda x, y: (x, y[:-1]), DataError, "features 200, labels 199"),
    "empty": (lambda x, y: (x[:0], y[:0]), DataError, r"features: no data \(shape \(0, 4\)\)"),
    "no features": (lambda x, y: (x[:, :0], y), DataError, r"features: no data"),
    "string features": (lambda x, y: (x.astype(str), y), DataError, "features: dtype .* holds no real numbers"),
    "complex features": (lambda x, y: (x * 1j, y), DataError, "holds no real numbers"),
    "two label columns": (lambda x, y: (x, np.stack([y, y], 1)), MatchError, r"targets have shape \(200, 2\)"),
    "vector": (lambda x, y: (x[:, 0], y), LincolnError, "at least 2 dimensions"),
    "features missing": (
        lambda x, y: (x[:, :3], y),
        MatchError,
        "Linear '0.linear': input has 3 features, W was built for 4",
    ),
}


@pytest.mark.parametrize(
    ("case", "role"),
    [(case, "training") for case in BAD] + [(case, "validation") for case in BAD if case != "one class"],  # that one may be
)
def test_bad_data(case, role):
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
    quiet_fit(model, x, y)
    before = model.network.flatten()[0].clone(), model.optimizer.state_dict(), model.predict_proba(x)
    change, error, message = BAD[case]
    with np.errstate(all="ignore"):
        bad = change(x, y)
    if role == "training":
        with pytest.raises(error, match=message):
            quiet_fit(model, *bad)
    else:
        with pytest.raises(LincolnError):
            quiet_fit(model, x, y, validation_data=bad)
    assert torch.equal(model.network.flatten()[0], before[0])
    assert model.optimizer.steps == before[1]["steps"]
    assert torch.equal(model.optimizer.velocity, before[1]["velocity"])
    np.testing.assert_array_equal(model.predict_proba(x), before[2])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3], "class indices hold 3 .*the network has 3 outputs, so expected 0 to 2"),
        ([0, 1, -1, 2], "labels: -1 found; class labels are whole numbers from 0"),
        ([0, 1, 0.5, 2], "labels: .* whole numbers"),
        (["a", "b", "c", "d"], "class indices hold 3"),
    ],
)
def test_labels_outside_the_classes(labels, message):
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy)
    with pytest.raises(DataError, match=message):
        quiet_fit(model, np.eye(4), labels)
    with pytest.raises(StateError):
        model.predict(np.eye(4))


@pytest.mark.parametrize("name", ["epochs", "batch_size", "print_every"])
@pytest.mark.parametrize("value", [-1, 1.5, "3"])
def test_counts_below_one(name, value):
    x, y = two_blobs()
    with pytest.raises(ArgumentError, match=f"{name} is {value!r}; expected an integer of at least 1"):
        classifier().fit(x, y, **{name: value})
    if name != "print_every":
        with pytest.raises(ArgumentError, match=f"{name} is 0"):
            classifier().fit(x, y, **{name: 0})


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score", "evaluate", "classes_"])
def test_before_fit(method):
    model = classifier()
    with pytest.raises(StateError, match=r"Classifier is not fitted yet: call fit\(features, labels\) first"):
        attribute = getattr(model, method)
        attribute(np.zeros((2, 4)), *([np.zeros(2)] if method in ("score", "evaluate") else []))
    with pytest.raises(StateError, match="Regressor is not fitted"):
        Regressor(Linear(1)).predict(np.zeros((2, 4)))


def test_predicting_bad_features():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    with pytest.raises(MatchError, match="Linear '0.linear': input has 3 features, W was built for 4"):
        model.predict(x[:, :3])
    with pytest.raises(DataError, match="NaN or infinite"):
        model.predict(with_value(x, np.nan))
    with pytest.raises(DataError, match="no data"):
        model.predict(x[:0])


def test_loss_or_optimizer_of_another_network():
    with pytest.raises(ArgumentError, match="loss is bound to another network"):
        classifier(loss=lnc.LogLoss(Dense(1)))
    with pytest.raises(ArgumentError, match="optimizer is bound to another network"):
        classifier(optimizer=lnc.SGD(Dense(1)))
    with pytest.raises(ArgumentError, match="loss is 'log'; expected a Loss class, a factory"):
        classifier(loss="log")
    with pytest.raises(ArgumentError, match="optimizer is .*; expected a Optimizer class|expected an Optimizer class"):
        classifier(optimizer=dict)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_divergence_restores_the_last_finite_weights(momentum):
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=momentum))
    quiet_fit(model, x, y, epochs=3)
    good = model.network.flatten()[0].clone()
    state = model.optimizer.state_dict()
    model.optimizer.lr = float("inf")
    with pytest.raises(
        DivergenceError, match=r"training diverged in epoch 1: .*back at the weights of the start.*Lower the"
    ):
        quiet_fit(model, x, y, epochs=3)
    assert torch.equal(model.network.flatten()[0], good)
    assert model.optimizer.steps == state["steps"]
    assert all(torch.equal(model.optimizer.state_dict()[name], state[name]) for name in state if name == "velocity")
    model.optimizer.lr = 0.01
    quiet_fit(model, x, y, epochs=2)
    model.loss(torch.tensor(x).float(), torch.tensor(y))
    model.loss.backward()
    model.optimizer.step()  # outside inference mode too


def test_divergence_in_a_later_epoch():
    x, y = two_blobs()
    model = classifier()
    kept = []

    def batches(features, labels, size):
        kept.append(model.network.flatten()[0].clone() if kept else None)
        yield features, labels
        if len(kept) == 3:
            model.optimizer.lr = float("nan")
            yield features, labels

    model.batch_gen = batches
    with pytest.raises(DivergenceError, match="epoch 3: .*learning rate nan.*the end of epoch 2"):
        quiet_fit(model, x, y, epochs=10)
    assert torch.equal(model.network.flatten()[0], kept[-1])
    assert np.isfinite(model.predict_proba(x)).all()


def test_divergence_of_an_unbuilt_network_leaves_initial_weights():
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=float("inf")))
    with pytest.raises(DivergenceError):
        quiet_fit(model, x, y)
    assert torch.isfinite(model.network.flatten()[0]).all()


# ---- Labels and data of unusual kinds


def test_a_second_fit_keeps_the_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, iris.data, names, epochs=50)
    score = model.score(iris.data, names)
    model.optimizer.lr = 1e-9
    quiet_fit(model, iris.data[50:], names[50:], epochs=1)
    assert model.score(iris.data, names) == pytest.approx(score, abs=0.01)
    with pytest.raises(DataError, match="'rose' is no class of the training data"):
        quiet_fit(model, iris.data, np.where(names == "setosa", "rose", names))
    with pytest.raises(DataError, match=r"the classifier knows strings|the classifier's classes are strings"):
        model.score(iris.data, iris.target)


def test_more_outputs_than_classes():
    x, y = two_blobs()
    model = Classifier(Dense(5, "softmax"), lnc.CrossEntropy)
    with pytest.raises(DataError, match=r"2 classes \(cat, dog\), and the network has 5 outputs"):
        quiet_fit(model, x, np.array(["cat", "dog"])[y])
    with pytest.raises(StateError):
        model.predict(x)
    quiet_fit(model, x, y)
    assert model.classes_.tolist() == [0, 1, 2, 3, 4]


def test_a_class_seen_only_in_validation():
    x, y = two_blobs()
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy)
    history = quiet_fit(model, x, y, validation_data=(x, y + 1), epochs=2)
    assert len(history.val_metrics) == 2


def test_class_indices_of_sequences():
    x = np.random.default_rng(0).normal(size=(40, 6, 3))
    y = (x[:, :, 0] > 0) + (x[:, :, 1] > 0).astype(int)
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, x, y, epochs=100)
    assert model.predict(x).shape == y.shape
    assert (model.predict(x) == y).mean() > 0.75, "always saying 1 gives 0.5"


def test_a_learners_softmax_loss():
    class Focal(lnc.CrossEntropy):
        """A loss of the softmax by another name."""

    class Mine(lnc.Loss):
        link = lnc.Softmax
        value = lnc.CrossEntropy.value
        gradient = lnc.CrossEntropy.gradient
        value_from_logits = lnc.CrossEntropy.value_from_logits
        gradient_from_logits = lnc.CrossEntropy.gradient_from_logits
        match = lnc.CrossEntropy.match

    iris = load_iris()
    for loss in (Focal, Mine):
        model = Classifier(Dense(3, "softmax"), loss, partial(lnc.Adam, lr=0.1))
        quiet_fit(model, iris.data, iris.target, epochs=20)
        assert model.score(iris.data, iris.target) > 0.6


@pytest.mark.parametrize("form", ["object", "bytes", "bfloat16"])
def test_labels_of_unusual_types(form):
    x, y = two_blobs()
    labels = {
        "object": np.array(y.tolist(), dtype=object),
        "bytes": np.array([b"cat", b"dog"])[y],
        "bfloat16": torch.tensor(y).to(torch.bfloat16),
    }[form]
    model = classifier()
    quiet_fit(model, x, labels)
    assert model.score(x, labels) > 0.9


def test_complex_labels():
    x, y = two_blobs()
    with pytest.raises(DataError, match="a mix of complex128"):
        quiet_fit(classifier(), x, y * 1j)


def test_bfloat16_network():
    x, y = two_blobs()
    model = classifier(network=Dense(1).to(torch.bfloat16))
    quiet_fit(model, x, y)
    assert model.predict_proba(x).shape == (200, 2)
    regressor = Regressor(Linear(1).to(torch.bfloat16))
    quiet_fit(regressor, x, y.astype(float))
    assert regressor.predict(x).shape == (200,)


def test_a_failed_first_fit_does_not_shape_the_network():
    x, y = two_blobs()
    model = classifier()
    with pytest.raises(MatchError):
        quiet_fit(model, x[:, :3], np.stack([y, y], 1))
    assert list(model.network.parameters()) == []
    fresh = classifier()
    assert quiet_fit(model, x, y).losses == quiet_fit(fresh, x, y).losses


def test_devices_that_are_not_here():
    with pytest.raises(ArgumentError, match="device is 'gpu', which cannot be used here"):
        classifier(device="gpu")


def test_weights_that_are_not_finite_to_begin_with():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    model.network.flatten()[0].fill_(float("nan"))
    with pytest.raises(StateError, match="weights are not finite before the first step"):
        quiet_fit(model, x, y)


def test_features_that_overflow_at_predict():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    with pytest.raises(DataError, match="features: NaN or infinite"):
        model.predict(np.full((1, 4), 1e300))


def test_the_notebooks_own_generator():
    """It takes arrays, yields FloatTensors, and is checked batch by batch."""

    def notebook(features, labels, size=32):
        labels = labels.reshape(len(labels), 1)
        for ii in range(0, len(features), size):
            yield (
                torch.from_numpy(features[ii : ii + size, :]).type(torch.FloatTensor),
                torch.from_numpy(labels[ii : ii + size, :]).type(torch.FloatTensor),
            )

    x, y = two_blobs()
    model = classifier(batch_gen=notebook)
    quiet_fit(model, x, y)
    assert model.score(x, y) > 0.9
    arrays = classifier(batch_gen=lambda features, labels, size: [(features, labels)])
    quiet_fit(arrays, x, y)
    wrong = classifier(batch_gen=lambda features, labels, size: [(features, labels * 2)])
    with pytest.raises(DataError, match="targets hold 2"):
        quiet_fit(wrong, x, y)


def test_buffers_of_a_users_layer_are_normal_tensors_afterwards():
    class Mean(lnc.Layer):
        mean = torch.zeros(())

        def _forward(self, input):
            self.mean = 0.9 * self.mean + 0.1 * input.mean()
            return input

        def _backward(self, output_grad):
            return output_grad

    x, y = two_blobs()
    model = classifier(network=Sequential(Mean(), Dense(1)))
    quiet_fit(model, x, y)
    model.network[0].mean.add_(1)


def test_regression_of_sequences():
    x = np.random.default_rng(0).normal(size=(32, 5, 4))
    y = x.sum(-1)
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=0.1), metric=lambda t, p: float(np.abs(t - p).max()))
    quiet_fit(model, x, y)
    assert model.predict(x).shape == (32, 5)
    np.testing.assert_allclose(model.predict(x), y, atol=0.2)
