"""What predicting and measuring cost: one chunk of probabilities, and lines that take a small share of a fit."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln._util.joined import Joined
from lincoln.layers import Dense, Sequential
from lincoln.models import predicting
from lincoln.models.measuring import sample
from lincoln.training.metrics import Measured

rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 4)).astype("float32")
THREE = np.argmax(X[:, :3], axis=1)
TWO = (X[:, 0] > 0).astype(int)
SEVERAL = (X[:, :3] > 0).astype(int)


class Sizes:
    """The numbers of examples that a loss predicted at a time."""

    def __init__(self, loss, monkeypatch):
        self.seen = []
        for name in ("predict", "evaluate"):
            monkeypatch.setattr(loss, name, self.noting(getattr(loss, name)))

    def noting(self, method):
        def noted(features, *more, **named):
            self.seen.append(len(features))
            return method(features, *more, **named)

        return noted


KINDS = {
    "two classes": (1, "sigmoid", lnc.LogLoss, TWO),
    "three classes": (3, "softmax", lnc.CrossEntropy, THREE),
    "strings": (3, "softmax", lnc.CrossEntropy, THREE.astype(str)),
    "several labels": (3, "sigmoid", lnc.LogLoss, SEVERAL),
    "numbers": (1, None, lnc.MSE, X[:, 0] * 2),
}


def fitted(kind, **settings):
    outputs, activation, loss, labels = KINDS[kind]
    torch.manual_seed(0)
    network = Sequential(Dense(4), Dense(outputs, activation))
    model = (lnc.Regressor if kind == "numbers" else lnc.Classifier)(network, loss, **settings)
    model.fit(X[:300], labels[:300], epochs=2, print_every=None, seed=0)
    return model, labels


@pytest.mark.parametrize("kind", KINDS)
def test_wide_networks_predict_in_chunks(kind, monkeypatch):
    model, labels = fitted(kind)
    whole = model.predict(X), model.evaluate(X, labels), model.score(X, labels)
    p = model.predict_proba(X) if kind != "numbers" else None
    monkeypatch.setattr(predicting, "_NUMBERS", 2000)  # 500 examples of 4 numbers
    sizes = Sizes(model.loss, monkeypatch)
    if kind == "numbers":
        np.testing.assert_allclose(model.predict(X), whole[0], rtol=1e-5, atol=1e-6)
    else:
        assert (model.predict(X) == whole[0]).all()
    assert model.evaluate(X, labels) == pytest.approx(whole[1], rel=1e-5)
    assert model.score(X, labels) == pytest.approx(whole[2], rel=1e-5)
    if p is not None:
        np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-5, atol=1e-7)
    assert set(sizes.seen) == {500}
    sizes.seen.clear()
    model.fit(X, labels, epochs=1, print_every=None)
    assert max(sizes.seen) == 500


@pytest.mark.parametrize("rows", [1, 2, 256])
def test_few_examples_are_one_chunk(rows, monkeypatch):
    model, _ = fitted("three classes")
    monkeypatch.setattr(predicting, "_NUMBERS", 1)
    sizes = Sizes(model.loss, monkeypatch)
    model.predict(X[:rows])
    assert sizes.seen == [rows]


def test_only_what_metrics_need_is_kept():
    loss = lnc.CrossEntropy(Sequential(Dense(3, "softmax")))
    p, t = torch.rand(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    none, decided, whole = (Measured(metrics, loss) for metrics in ({}, {"a": lnc.accuracy}, {"p": lambda y, q: q.sum()}))
    for measured in (none, decided, whole):
        measured.add(t[:4], p[:4])
        measured.add(t[4:], p[4:])
    assert none.values() == {}
    assert vars(none)["_targets"].whole().numel() == 0, "without metrics nothing is kept"
    (kept,) = vars(whole)["_kept"].values()
    assert kept.whole().shape == (6, 3)
    assert whole.values() == {"p": pytest.approx(p.sum().item())}


def test_a_metric_of_classes_keeps_classes():
    loss = lnc.CrossEntropy(Sequential(Dense(3, "softmax")))
    measured = Measured({"accuracy": lnc.accuracy, "f1": lnc.metrics.f1}, loss)
    measured.add(torch.tensor([0, 1]), torch.eye(3)[:2])
    assert measured.values() == {"accuracy": 1.0, "f1": 1.0}


@pytest.mark.parametrize("rows", [0, 3, 100])
def test_joined_rows_are_those_of_cat(rows):
    parts = [torch.rand(n, 2) for n in (1, 5, 2, 0, 7)]
    joined = Joined(rows)
    for part in parts:
        joined.add(part)
    assert torch.equal(joined.whole(), torch.cat(parts))
    assert Joined().whole().numel() == 0


@pytest.mark.parametrize(
    ("n", "every", "batch_size", "expected"), [(2000, 1, 1, 2000), (2900, 100, 32, 2000), (2900, 100, 256, 2900)]
)
def test_how_many_examples_a_line_is_measured_on(n, every, batch_size, expected):
    x, y = torch.from_numpy(X[:n]), torch.from_numpy(TWO[:n])
    state = torch.get_rng_state()
    features, targets = sample(x, y, every, batch_size)
    assert torch.equal(torch.get_rng_state(), state)
    assert 0.6 * expected < len(features) == len(targets) <= expected + 2
    assert torch.equal(features, sample(x, y, every, batch_size)[0]), "each line is measured on the same examples"
    assert (features[:, 0] > 0).long().equal(targets.long())


@pytest.mark.parametrize("rare", ["first", "last"])
def test_a_rare_class_is_in_the_sample(rare, capsys):
    y = np.zeros(3000, dtype=int)
    y[0 if rare == "first" else -1] = 1
    model = lnc.Classifier(Sequential(Dense(1)), metric=lnc.metrics.roc_auc)
    history = model.fit(X, y, epochs=2)
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert len(history.metrics) == 2


def test_lines_are_measured_on_a_part_and_the_end_on_all():
    seen = []

    def noting(labels, predictions):
        seen.append(len(labels))
        return 0.5

    many = np.repeat(X, 3, axis=0)
    lnc.Classifier(Sequential(Dense(1)), metric=noting).fit(many, np.repeat(TWO, 3), epochs=1)
    assert len(seen) == 3, "two lines, and the end"
    assert max(seen[:2]) <= 2002
    assert seen[2] == 9000
