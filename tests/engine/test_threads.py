"""The number of threads: one wherever two would mostly wait for each other, and torch's own setting afterwards."""

from typing import ClassVar

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.engine.threads import threads_for
from lincoln.estimators import MLPClassifier, NetworkClassifier
from lincoln.layers import Dense, Sequential


@pytest.fixture(autouse=True)
def two_threads():
    """Set torch to two threads, and see that the test leaves two."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == 2


class Noting(lnc.Layer):
    """y = x V, (n, size), by two products of its own; `seen` holds the numbers of threads."""

    seen: ClassVar[set[int]] = set()

    def __init__(self, size=4):
        self.size = size

    def build(self, input):
        return {"V": torch.linspace(-1, 1, input.shape[-1] * self.size).reshape(-1, self.size)}

    def _forward(self, input):
        self.seen.add(torch.get_num_threads())
        self.saved = input
        return input @ self.V

    def _backward(self, output_grad):
        self.seen.add(torch.get_num_threads())
        self.grad["V"] = self.saved.mT @ output_grad
        return output_grad @ self.V.mT


@pytest.fixture
def seen():
    Noting.seen.clear()
    return Noting.seen


X = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
x, y = torch.from_numpy(X), torch.from_numpy(Y).float()


def built():
    network = Sequential(Noting(), Dense(1))
    network(x[:1])
    Noting.seen.clear()
    return network


def by_hand(network):
    loss, optimizer = lnc.LogLoss(network), lnc.Adam(network)
    for _ in range(3):
        loss(x, y)
        loss.backward()
        optimizer.step()


def by_network(network):
    network.backward(torch.ones_like(network(x)))


def trainer(data):
    def train(network):
        lnc.Trainer(network, lnc.TrainerConfig(3, progress=None), lnc.LogLoss, lnc.SGD, data, data).train()

    return train


USES = {
    "a loop by hand": by_hand,
    "a network alone": by_network,
    "Trainer on a Dataset": trainer(lnc.Dataset(x, y)),
    "Trainer on batches": trainer([(x[:20], y[:20]), (x[20:], y[20:])]),
    "Classifier": lambda network: lnc.Classifier(network).fit(X, Y, epochs=3, print_every=5).epochs,
    "predictions": lambda network: lnc.LogLoss(network).predict(x),
    "evaluate": lambda network: lnc.steps.evaluate(lnc.LogLoss(network), [(x, y)]),
    "steps": lambda network: lnc.steps.make_train_step(network, lnc.LogLoss, lnc.SGD)(x, y),
    "check of a network": lambda network: lnc.check_gradients(network, x),
    "check of a loss": lambda network: lnc.check_gradients(lnc.LogLoss(network), x, y),
    "NetworkClassifier": lambda network: NetworkClassifier(network, max_iter=2).fit(X, Y).predict(X),
    "a copy": lambda network: lnc.LogLoss(__import__("copy").deepcopy(network)).predict(x),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("use", USES)
def test_small_work_is_done_on_one_thread(use, seen):
    USES[use](built())
    assert seen == {1}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("use", USES)
def test_a_small_network_that_has_not_run_yet_does_so_on_one_thread(use, seen):
    USES[use](Sequential(Noting(), Dense(1)))
    assert seen == {1}


@pytest.mark.parametrize("examples", [100, 3000])
def test_large_work_is_shared(examples, seen):
    network = Sequential(Noting(700), Dense(1))
    network(torch.zeros(1, 5))
    wide = torch.zeros(examples, 5)
    seen.clear()
    network.backward(torch.ones_like(network(wide)))
    assert seen == {1 if examples * 5 * 700 < 2**23 else 2}


class Convolution(Noting):
    """Each weight serves at every place of the input, so that the parameters do not tell the multiplications."""

    def build(self, input):
        return {"V": torch.ones(9, 8)}

    def _forward(self, input):
        self.seen.add(torch.get_num_threads())
        return (input.unfold(1, 9, 1) @ self.V).flatten(1)


@pytest.mark.parametrize(("width", "threads"), [(20, 1), (20_000, 2)])
@pytest.mark.parametrize("inference", [False, True])
def test_products_are_counted_as_they_are_made(width, threads, inference, seen):
    with torch.inference_mode(inference):
        layer = Convolution()
        layer(torch.zeros(2, width))
        seen.clear()
        layer(torch.zeros(100, width))
    assert seen == {threads}
    assert layer.multiplications(100) == 100 * (width - 8) * 9 * 8


PRODUCTS = {
    "matmul": (lambda x, w: x @ w, (6, 5), (5, 3), 5 * 3),
    "linear": (lambda x, w: torch.nn.functional.linear(x, w), (6, 5), (3, 5), 5 * 3),
    "addmm": (lambda x, w: torch.addmm(torch.zeros(3), x, w), (6, 5), (5, 3), 5 * 3),
    "batches": (lambda x, w: x @ w, (6, 7, 5), (5, 3), 7 * 5 * 3),
    "bmm": (lambda x, w: torch.bmm(x, w.expand(6, 5, 3)), (6, 7, 5), (5, 3), 7 * 5 * 3),
    "conv1d": (lambda x, w: torch.conv1d(x, w), (6, 2, 20), (4, 2, 5), 16 * 4 * 2 * 5),
    "conv2d": (lambda x, w: torch.conv2d(x, w, padding=1), (6, 2, 9, 9), (4, 2, 3, 3), 81 * 4 * 2 * 9),
    "elementwise": (lambda x, w: torch.sigmoid(x * w), (6, 5), (5,), 5 * 4),
    "a view": (lambda x, w: x.mT[:2], (6, 5), (5,), 0),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("kind", PRODUCTS)
def test_the_work_of_one_example(kind, inference):
    function, shape, weights, expected = PRODUCTS[kind]

    class One(lnc.Layer):
        def _forward(self, input):
            return function(input, torch.ones(weights))

    with torch.inference_mode(inference):
        layer = One()
        layer(torch.zeros(shape))
    made = layer.work - (4 * torch.ones(weights).numel() / 6 if layer.work < expected else 0)
    assert made == pytest.approx(expected, rel=0.01) or kind == "a view"


def test_what_fails_leaves_the_threads_alone():
    class Broken(Noting):
        def _forward(self, input):
            if len(input) > 1:
                raise ZeroDivisionError
            return super()._forward(input)

    network = Sequential(Broken())
    network(x[:1])
    with pytest.raises(lnc.errors.LayerError):
        network(x)
    assert torch.get_num_threads() == 2


def test_predictions_of_estimators_leave_the_threads_alone():
    mlp = MLPClassifier((5,), max_iter=30, tol=10, n_iter_no_change=1).fit(X, Y)
    assert mlp.predict_proba(X).shape == (60, 2)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("network", "features", "examples", "one"),
    [
        (Sequential(Dense(10), Dense(1)), 30, 200, True),
        (Sequential(Dense(256), Dense(256), Dense(1)), 30, 200, False),
        (Dense(10), 30, 100_000, False),
        (Sequential(Dense(100), Dense(10)), 64, 200, True),
    ],
)
def test_small_products_are_not_shared_out(network, features, examples, one):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        network(torch.zeros(1, features))
        with threads_for(network, examples):
            assert torch.get_num_threads() == (1 if one else 2)
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError), threads_for(network, examples):
            np.divide(1, 1)
            1 / 0  # noqa: B018
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_run_inside_a_run_leaves_it_its_one_thread():
    network = Dense(1)
    network(torch.zeros(1, 4))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads_for(network, 10):
            with threads_for(network, 10):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
