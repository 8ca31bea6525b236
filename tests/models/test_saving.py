"""Models in files: a classifier with its classes, a regressor, and what is no such file."""

import copy
import random
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.metrics import f1_score

import lincoln as lnc
from lincoln import Classifier, Regressor, checkpoint
from lincoln.errors import ArgumentError, CheckpointError, DataError, StateError
from lincoln.layers import Dense, Dropout, Layer, Linear, Sequential
from lincoln.metrics import accuracy, f1, log_loss

X, Y = two_blobs(60)
THREE = np.arange(60) % 3


def softmax(classes=3, **changes):
    settings = {"optimizer": partial(lnc.Adam, lr=0.01)} | changes
    return Classifier(Sequential(Dense(4, "tanh"), Dense(classes, "softmax")), lnc.CrossEntropy, **settings)


def saved(model, x, y, folder, **how):
    quiet_fit(model, x, y, epochs=3)
    return type(model).load(model.save(folder / "model"), **how)


LABELS = {
    "ints": (classifier, Y),
    "bools": (classifier, Y.astype(bool)),
    "float16": (classifier, Y.astype(np.float16)),
    "uint8": (classifier, Y.astype(np.uint8)),
    "strings": (classifier, np.array(["no", "yes"])[Y]),
    "objects": (classifier, np.array(["no", "ye\0s \ud800"], dtype=object)[Y]),
    "bytes": (classifier, np.array([b"no", b"yes"])[Y]),
    "tensors": (classifier, torch.tensor(Y)),
    "series": (classifier, pd.Series(["no", "yes"]).iloc[Y].reset_index(drop=True)),
    "three": (softmax, THREE),
    "three int8": (softmax, THREE.astype(np.int8)),
    "three float32": (softmax, THREE.astype(np.float32)),
    "three strings": (softmax, np.array(["b", "a", ""])[THREE]),
    "300 of uint8": (partial(softmax, 300), (THREE * 50).astype(np.uint8)),
    "one-hot ints": (softmax, np.eye(3, dtype=int)[THREE]),
    "probabilities": (softmax, np.eye(3)[THREE] * 0.7 + 0.1),
    "several labels": (partial(classifier, network=Dense(2)), np.stack([Y, 1 - Y], 1)),
    "several strings": (partial(classifier, network=Dense(2)), np.array(["off", "on"])[np.stack([Y, 1 - Y], 1)]),
    "numbers": (partial(Regressor, Linear(1)), Y * 2.5),
    "numbers in columns": (partial(Regressor, Linear(2)), np.stack([Y, -Y], 1)),
}


@pytest.mark.parametrize("labels", LABELS)
def test_a_model_comes_back_computing_the_same(tmp_path, labels):
    make, y = LABELS[labels]
    model = copy.deepcopy(make())
    other = saved(model, X, y, tmp_path)
    predictions, again = model.predict(X), other.predict(X)
    np.testing.assert_array_equal(again, predictions)
    assert again.dtype == predictions.dtype
    assert other.evaluate(X, y) == model.evaluate(X, y)
    if isinstance(model, Classifier):
        np.testing.assert_array_equal(other.classes_, model.classes_)
        assert other.classes_.dtype == model.classes_.dtype
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "optimizer",
    [
        lnc.SGD,
        partial(lnc.SGD, lr=np.float32(0.01), momentum=0.9, nesterov=True, weight_decay=1e-3),
        partial(lnc.Momentum, momentum=0.5),
        partial(lnc.Adam, betas=(0.8, 0.99), eps=1e-7, amsgrad=True),
        partial(lnc.AdamW, weight_decay=0.1),
        lnc.AdamHat,
    ],
    ids=str,
)
def test_a_fit_goes_on_as_if_it_had_not_been_saved(tmp_path, optimizer):
    model = classifier(optimizer=optimizer)
    other = saved(model, X, Y, tmp_path)
    assert repr(other) == repr(model)
    for one in (model, other):
        quiet_fit(one, X, Y, epochs=3)
    assert torch.equal(one.network.flatten()[0], model.network.flatten()[0])


LOSSES = [
    (partial(lnc.LogLoss, reduction="mean", l2=0.5), lambda: Dense(1)),
    (partial(lnc.LogLoss, label_smoothing=0.1, pos_weight=3), lambda: Dense(1)),
    (partial(lnc.LogLoss, from_logits=True), lambda: Linear(1)),
    (partial(lnc.CrossEntropy, class_weight=[1, 5], label_smoothing=np.float64(0.1)), lambda: Dense(2, "softmax")),
    (partial(lnc.CrossEntropy, ignore_index=-1, check_targets=False), lambda: Dense(2, "softmax")),
]


@pytest.mark.parametrize(("loss", "network"), LOSSES, ids=str)
def test_settings_of_the_loss(tmp_path, loss, network):
    model = Classifier(network(), loss)
    other = saved(model, X, Y, tmp_path)
    assert other.evaluate(X, Y) == model.evaluate(X, Y)
    for one in (model, other):
        quiet_fit(one, X, Y, epochs=3)
    assert torch.equal(other.network.flatten()[0], model.network.flatten()[0])


@pytest.mark.parametrize("metric", [None, f1, [accuracy, log_loss], {"acc": accuracy, "F": f1}], ids=str)
def test_metrics(tmp_path, metric):
    model = classifier(metric=metric)
    assert saved(model, X, Y, tmp_path).metric == metric


def test_threshold_and_names_of_columns(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = classifier()
    model.threshold = 0.9
    other = saved(model, frame, Y, tmp_path)
    assert other.threshold == 0.9
    np.testing.assert_array_equal(other.predict(frame), model.predict(frame))
    with pytest.raises(DataError, match="must be in the same order"):
        other.predict(frame[["b", "a", "c", "d"]])


def test_the_network_alone(tmp_path):
    model = classifier()
    saved(model, X, Y, tmp_path)
    network = lnc.load(tmp_path / "model")
    assert torch.equal(network.flatten()[0], model.network.flatten()[0])


def test_float64_and_dropout(tmp_path):
    model = classifier(network=Sequential(Dense(5), Dropout(np.float32(0.25)), Dense(1)).to(dtype=torch.float64))
    other = saved(model, X, Y, tmp_path)
    assert other.predict_proba(X).dtype == np.float64
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


class Scale(Layer):
    def __init__(self, by):
        self.by = by

    def _forward(self, input):
        return input * self.by

    def _backward(self, output_grad):
        return output_grad * self.by


class Mine(lnc.LogLoss):
    def __init__(self, network, by=1.0):
        super().__init__(network)
        self.by = by

    def value_from_logits(self, z, y):
        return super().value_from_logits(z, y) * self.by


class Slow(lnc.SGD):
    pass


def halves(features, labels, size):
    yield features[::2], labels[::2]


def mine(labels, predictions):
    return 0.5


def own_parts():
    return Classifier(Sequential(Scale(2.0), Dense(1)), partial(Mine, by=3.0), Slow, [mine, f1_score], halves)


def test_parts_of_ones_own_are_given(tmp_path):
    model = own_parts()
    other = saved(model, X, Y, tmp_path, layers=[Scale], given=[Mine, Slow, mine, f1_score, halves])
    assert other.evaluate(X, Y) == model.evaluate(X, Y)
    assert (type(other.loss), other.loss.by, type(other.optimizer), other.batch_gen) == (Mine, 3.0, Slow, halves)
    for left_out in (Mine, Slow, mine, f1_score, halves):
        given = [part for part in (Mine, Slow, mine, f1_score, halves) if part is not left_out]
        with pytest.raises(
            CheckpointError, match=rf"{left_out.__name__} is not lincoln's: give it with given=\["
        ) as refusal:
            Classifier.load(tmp_path / "model", [Scale], given)
        assert len(str(refusal.value)) <= 500
    with pytest.raises(CheckpointError, match=r"give it with layers=\[Scale\]"):
        Classifier.load(tmp_path / "model", given=[Mine, Slow, mine, f1_score, halves])

    def wrong(network):
        return lnc.LogLoss(network)

    wrong.__name__ = "Mine"
    with pytest.raises(CheckpointError, match="loss Mine was given as <function .*; expected a Loss class"):
        Classifier.load(tmp_path / "model", [Scale], [wrong, Slow, mine, f1_score, halves])


class Forgets(lnc.LogLoss):
    def __init__(self, network, secret=1.0):
        super().__init__(network)


class Callable_(lnc.SGD):
    def __init__(self, network, rule=print):
        super().__init__(network)
        self.rule = rule


UNWRITABLE = [
    (
        {"metric": lambda labels, predictions: 0.0},
        "Classifier: cannot be saved, because its metric <function .*has no",
    ),
    ({"metric": {"F": partial(f1_score, average="macro")}}, "its metric functools.partial.* has no name"),
    ({"loss": Forgets}, "the argument secret of its loss Forgets is not kept: write self.secret = secret in __init__"),
    (
        {"optimizer": Callable_},
        "the argument rule of its optimizer Callable_ is <built-in function print>; exp",
    ),
    ({"batch_gen": lambda features, labels, size: [(features, labels)]}, "its batch_gen <function .* has no name"),
]


@pytest.mark.parametrize(("part", "message"), UNWRITABLE, ids=str)
def test_what_cannot_be_written_is_refused_by_name(tmp_path, part, message):
    model = classifier(**part)
    quiet_fit(model, X, Y, epochs=1)
    path = tmp_path / "model"
    path.write_text("what stood there before")
    with pytest.raises(CheckpointError, match=message) as refusal:
        model.save(path)
    assert len(str(refusal.value)) <= 500
    assert path.read_text() == "what stood there before"


def test_before_a_fit_and_odd_paths(tmp_path):
    with pytest.raises(StateError, match="Classifier is not fitted yet: call fit"):
        classifier().save(tmp_path / "model")
    model = classifier()
    quiet_fit(model, X, Y, epochs=1)
    for path in ("", None, 3):
        with pytest.raises(ArgumentError, match="save: path is"):
            model.save(path)
        with pytest.raises(ArgumentError, match="load: path is"):
            Classifier.load(path)
    for given in (mine, "mine", [3], [partial(mine)]):
        with pytest.raises(ArgumentError, match="load: given"):
            Classifier.load(model.save(tmp_path / "model"), given=given)
    with pytest.raises(ArgumentError, match="device"):
        Classifier.load(tmp_path / "model", device="nonsense")
    assert Classifier.load(tmp_path / "model", device="cpu").device == torch.device("cpu")


def test_files_of_another_kind(tmp_path):
    model, regressor = classifier(), Regressor(Linear(1))
    quiet_fit(model, X, Y, epochs=1)
    quiet_fit(regressor, X, Y * 1.0, epochs=1)
    model.save(tmp_path / "classifier")
    regressor.save(tmp_path / "regressor")
    lnc.save(tmp_path / "network", model.network)
    with pytest.raises(CheckpointError, match=r"holds a Regressor: load it with Regressor.load\(path\)"):
        Classifier.load(tmp_path / "regressor")
    with pytest.raises(CheckpointError, match=r"holds a Classifier: load it with Classifier.load"):
        Regressor.load(tmp_path / "classifier")
    with pytest.raises(CheckpointError, match=r"holds a network without a model: load it with lincoln.load"):
        Classifier.load(tmp_path / "network")
    with pytest.raises(CheckpointError):
        Classifier.load(tmp_path / "nothing")


VALUES = [None, True, -1, 0, 3.5, 10**30, "", "Loss", "Optimizer", "Metric", "\ud800", [], {}, [1], {"own": "Loss"}]
FORMS = [{"list": [1]}, {"own": "confusion_matrix"}, {"given": "print"}, {"dict": {}}, {"array": "0"}, {"numbers": "0"}]


def places(node, where=()):
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in list(items):
        yield (*where, key)
        yield from places(part, (*where, key))


def refusal(kind, path):
    """Return the message with which a file is refused; "" if the model in it predicts."""
    try:
        kind.load(path).predict(X)
    except CheckpointError as error:
        return error.message
    return ""


@pytest.mark.parametrize("labels", ["strings", "three int8", "several labels", "numbers in columns"])
def test_a_strangers_file_is_a_model_or_refused(tmp_path, labels):
    make, y = LABELS[labels]
    model = copy.deepcopy(make())
    quiet_fit(model, X, y, epochs=1)
    tensors, state = checkpoint.read(model.save(tmp_path / "model"))
    chance, refused = random.Random(1), 0
    for _ in range(150):
        odd, few = copy.deepcopy(state), dict(tensors)
        *above, last = chance.choice(list(places(odd["model"])))
        node = odd["model"]
        for key in above:
            node = node[key]
        if chance.random() < 0.8:
            node[last] = copy.deepcopy(chance.choice(VALUES + FORMS))
        else:
            del node[last]
        name = chance.choice(list(few))
        if chance.random() < 0.2:
            few[name] = chance.choice([torch.ones(3), torch.zeros(()), few[name].double(), few[name][None]])
        path = checkpoint.write(tmp_path / "odd", few, odd)
        message = refusal(type(model), path)
        refused += bool(message)
        assert len(message.replace(str(path), "")) <= 500
    assert refused > 75


def test_another_number_of_outputs_is_refused(tmp_path):
    model = softmax()
    quiet_fit(model, X, np.array(["a", "b", "c"])[THREE], epochs=1)
    tensors, state = checkpoint.read(model.save(tmp_path / "model"))
    state["model"]["labels"]["dict"]["labels"] = {"dict": {"sorted": ["a", "b"]}}
    path = checkpoint.write(tmp_path / "odd", tensors, state)
    with pytest.raises(CheckpointError, match="2 classes, and the network has 3 outputs"):
        Classifier.load(path)


def test_saving_and_loading_draw_no_random_numbers(tmp_path):
    model = classifier()
    quiet_fit(model, X, Y, epochs=1)
    before = torch.random.get_rng_state()
    Classifier.load(model.save(tmp_path / "model"))
    assert torch.equal(torch.random.get_rng_state(), before)
