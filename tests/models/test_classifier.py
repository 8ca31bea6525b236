"""Classifier: two classes, several classes, several labels, in every dtype and shape."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_iris, make_multilabel_classification

import lincoln as lnc
from lincoln import Classifier, Regressor
from lincoln.layers import Dense, Linear, Sequential


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


def test_bfloat16_network():
    x, y = two_blobs()
    model = classifier(network=Dense(1).to(torch.bfloat16))
    quiet_fit(model, x, y)
    assert model.predict_proba(x).shape == (200, 2)
    regressor = Regressor(Linear(1).to(torch.bfloat16))
    quiet_fit(regressor, x, y.astype(float))
    assert regressor.predict(x).shape == (200,)


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


def test_class_indices_of_sequences():
    x = np.random.default_rng(0).normal(size=(40, 6, 3))
    y = (x[:, :, 0] > 0) + (x[:, :, 1] > 0).astype(int)
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, x, y, epochs=100)
    assert model.predict(x).shape == y.shape
    assert (model.predict(x) == y).mean() > 0.75, "always saying 1 gives 0.5"


def test_a_learners_softmax_loss():
    class Focal(lnc.CrossEntropy):
        """Another name for cross entropy."""

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


def test_predicting_many_takes_chunks():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    many = np.tile(x, (400, 1))
    np.testing.assert_allclose(model.predict_proba(many)[-200:], model.predict_proba(x), rtol=1e-5)


def test_auto_device():
    assert classifier(device="auto").device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_copies():
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
    quiet_fit(model, x, y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(x), model.predict_proba(x))
        assert other.loss.network is other.optimizer.network is other.network is not model.network
        quiet_fit(other, x, y)
    assert "Classifier(" in repr(model)
