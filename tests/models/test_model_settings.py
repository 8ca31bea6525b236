"""The arguments of a model and of its `fit`: loss, optimizer, metric, batches, seed."""

from functools import partial

import numpy as np
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_iris
from sklearn.metrics import f1_score

import lincoln as lnc
from lincoln import Classifier, Regressor
from lincoln.errors import DataError, DivergenceError
from lincoln.layers import Dense, Linear, Sequential


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


def test_the_notebooks_own_generator():
    """The notebook's generator takes arrays and yields FloatTensors, which are checked batch by batch."""

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


def test_validation_leaves_no_trace():
    x, y = two_blobs()
    weights = []
    for validation in (None, (x[:33], y[:33])):
        model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
        quiet_fit(model, x, y, validation_data=validation)
        weights.append(model.network.flatten()[0])
    assert torch.equal(*weights)
