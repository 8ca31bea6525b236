"""Labels as users write them: strings, unusual types, classes of an earlier fit, classes that are missing."""

from functools import partial

import numpy as np
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_iris

import lincoln as lnc
from lincoln import Classifier
from lincoln.errors import DataError, StateError
from lincoln.layers import Dense


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
