"""The notebook that lincoln comes from: its names, its numbers, and its bugs, which must not return.

Numbers are those of its checklist rows, 4-01 to 4-39. The notebook's shuffle never shuffled, so its numbers belong to the
data in their given order: `shuffle=False`.
"""

import re
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import lincoln as lnc
from lincoln.errors import DimensionError, MatchError
from lincoln.layers import Dense, Layer, Linear, Sequential, Sigmoid

in_order = partial(lnc.generate_batches, shuffle=False)


def test_exceptions_carry_their_message():  # 4-01, 4-02
    assert MatchError("a").message == DimensionError("b").message[:0] + "a"
    layer = Linear(1)
    layer(torch.randn(3, 2))
    with pytest.raises(MatchError) as caught:
        layer.backward(torch.randn(4, 1))
    assert caught.value.message == (
        "Linear: output_grad has shape (4, 1), the output had (3, 1); a gradient has the shape of its value"
    )
    with pytest.raises(DimensionError, match="at least 2 dimensions"):
        layer(torch.randn(2))


def test_base_layer():  # 4-03, 4-04, 4-05
    with pytest.raises(NotImplementedError):
        Layer().forward(torch.ones(1))
    assert list(Layer().parameters()) == list(Layer().grads()) == []
    x = torch.randn(3, 2)
    assert torch.equal(Sigmoid()(x), Sigmoid().forward(x))


def test_linear_cell():  # 4-10 to 4-13
    linear = Linear(1, init=lnc.init.normal(std=0.01))
    x = torch.randn(10, 7)
    a = linear.forward(x)
    g = torch.rand_like(a)
    assert linear.W.shape == (7, 1)
    assert linear.B.shape == (1, 1)
    assert linear.W.abs().max() < 0.05
    torch.testing.assert_close(a, x @ linear.W + linear.B)
    torch.testing.assert_close(linear.backward(g), g @ linear.W.T)
    dW, dB = linear.grads()
    torch.testing.assert_close(dW, x.T @ g)
    torch.testing.assert_close(dB, g.sum(0, keepdim=True))
    assert repr(Linear(10)) == "Linear(10)"
    assert linear.to(dtype=torch.float64)(x.double()).dtype == torch.float64


def test_step_before_backward():  # 4-14
    with pytest.raises(lnc.errors.StateError):
        lnc.optim.SGD(Dense(1)).step()


def test_sigmoid_cell():  # 4-15
    a = torch.randn(10, 1)
    sigmoid = Sigmoid()
    p = sigmoid.forward(a)
    torch.testing.assert_close(p, 1 / (1 + torch.exp(-a)))
    g = torch.rand_like(p)
    torch.testing.assert_close(sigmoid.backward(g), p * (1 - p) * g)


def test_chain_by_hand_and_by_sequential():  # 4-16, 4-18
    x, g = torch.randn(20, 7), -torch.ones(20, 1)
    layers = [Linear(1), Sigmoid()]
    y = x
    for layer in layers:
        y = layer.forward(y)
    grad = g
    for layer in reversed(layers):
        grad = layer.backward(grad)
    by_hand = [tensor.clone() for tensor in layers[0].grads()]
    sequential = Sequential(*layers)
    assert sequential.layers == tuple(layers) == tuple(sequential)
    assert torch.equal(sequential.forward(x), y)
    assert torch.equal(sequential.backward(g), grad)
    assert all(torch.equal(a, b) for a, b in zip(sequential.grads(), by_hand, strict=True))
    assert len(list(sequential.parameters())) == 2
    with pytest.raises(TypeError):
        sequential.backward()


def test_sequential_repr():  # 4-17
    assert repr(Sequential(Linear(1), Sigmoid())) == "Sequential(\n  Linear(1),\n  Sigmoid())"
    assert repr(Sequential(Dense(10), Dense(1))) == "Sequential(\n  Dense(10),\n  Dense(1))"


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh", None])
def test_dense_cell(activation):  # 4-19
    dense = Dense(10, activation)
    assert isinstance(dense, Sequential)
    assert dense(torch.rand(1, 5)).shape == (1, 10)


def test_log_loss_cell():  # 4-20 to 4-24, 4-39
    x, y = torch.randn(20, 7), torch.randint(0, 2, (20, 1))
    network = Sequential(Linear(1), Sigmoid())
    loss = lnc.losses.LogLoss(network)
    value = loss.forward(x, y)
    assert value.shape == ()
    torch.testing.assert_close(value, F.binary_cross_entropy(network.eval()(x), y.float(), reduction="sum"))
    network.train()
    loss(x, y)
    loss.backward()
    p = network.eval()(x)
    torch.testing.assert_close(next(network.grads()), x.T @ (p - y))
    network.train()
    assert loss(x, y[:, 0]) == loss(x, y.bool()) == loss(x, y.to(torch.uint8)) == loss(x, y.float())


def test_log_loss_of_several_outputs():  # 4-23
    loss = lnc.LogLoss(Dense(3))
    x, y = torch.randn(20, 7), torch.randint(0, 2, (20, 3))
    assert lnc.check_gradients(loss, x, y)


def test_sgd_cell():  # 4-25, 4-26, 4-39
    x, y = torch.randn(20, 7), torch.randint(0, 2, (20, 1))
    network = Sequential(Linear(1), Sigmoid())
    loss, optimizer = lnc.LogLoss(network), lnc.SGD(network)
    assert optimizer.lr == 0.003
    for _ in range(3):
        loss(x, y)
        loss.backward()
        before = [tensor.clone() for tensor in network.parameters()]
        grads = [tensor.clone() for tensor in network.grads()]
        optimizer.step()
        for new, old, grad in zip(network.parameters(), before, grads, strict=True):
            torch.testing.assert_close(new, old - 0.003 * grad)


def test_manual_loop(breast_cancer):  # 4-29, 4-30, 4-31
    features, labels = breast_cancer
    network = Dense(1, init=lnc.init.normal(std=0.01))
    loss, optimizer = lnc.LogLoss(network), lnc.SGD(network, lr=0.01)
    printed = []
    steps = 0
    for _ in range(500):
        train_loss = 0
        for x, y in in_order(features, labels, size=128):
            steps += 1
            train_loss += loss(x, y)
            loss.backward()
            optimizer.step()
        if steps % 100 == 0:
            printed.append(train_loss.item() / len(features))
    assert len(printed) == 25
    assert printed[9] == pytest.approx(0.0462, abs=0.0005)
    assert printed[-1] == pytest.approx(0.0418, abs=0.0005)
    p = network(torch.from_numpy(features).float())
    assert lnc.accuracy(np.round(p.numpy()), labels) == pytest.approx(0.98946, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_demo_network(breast_cancer, seed):  # 4-32, 4-33, 4-35, 4-36, 4-37
    features, labels = breast_cancer
    network = Sequential(Dense(10), Dense(1))
    model = lnc.models.Classifier(
        network, loss=lnc.losses.LogLoss(network), optimizer=lnc.optim.SGD(network), batch_gen=in_order
    )
    history = model.fit(features, labels, batch_size=128, epochs=200, print_every=None, seed=seed)
    assert 0.985 <= history.metrics[-1][1] <= 0.99
    assert len(history.losses) == 200


def test_demo_network_shuffled(breast_cancer):
    features, labels = breast_cancer
    model = lnc.Classifier(Sequential(Dense(10), Dense(1)))
    history = model.fit(features, labels, batch_size=128, epochs=200, print_every=None, seed=0)
    assert 0.985 <= history.metrics[-1][1] <= 0.99


def test_printed_lines(breast_cancer, capsys):  # 4-33, 4-34
    features, labels = breast_cancer
    model = lnc.Classifier(Sequential(Dense(10), Dense(1)), batch_gen=in_order)
    history = model.fit(features, labels, batch_size=128, epochs=40, seed=0)
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r"Epoch (\d+)\.\. Train loss: ", line)[1] for line in lines] == ["20", "40"]
    printed = float(re.search(r"loss: (\S+)\.\. ", lines[1])[1])
    assert printed == pytest.approx(np.mean(history.losses[20:]), abs=1e-4)


def test_accuracy_refuses_other_shapes():  # 4-30
    assert lnc.accuracy(np.array([[1], [0]]), np.array([1, 1])) == 0.5
    with pytest.raises(MatchError, match=r"targets have shape \(3,\), predictions \(2,\)"):
        lnc.accuracy(np.zeros(3), np.zeros(2))


def test_the_contract_needs_no_repetition():  # 4-06, 4-07, 4-08
    """The base class checks shapes and saves what backward needs, so a layer of two lines does both."""

    class Double(Layer):
        def _forward(self, input):
            return 2 * input

        def _backward(self, output_grad):
            return 2 * output_grad

    layer = Double()
    layer(torch.ones(2, 3))
    with pytest.raises(MatchError, match=r"output_grad has shape \(3, 2\), the output had \(2, 3\)"):
        layer.backward(torch.ones(3, 2))
    assert torch.equal(layer.backward(torch.ones(2, 3)), torch.full((2, 3), 2.0))
    assert layer.saved is None


def test_standardize_constant_column():  # 4-27
    scaled = lnc.standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert scaled.tolist() == [[-1, 0], [1, 0]]
    assert lnc.standardize(np.array([[5.0, 7.0]]), like=np.array([[1.0, 5.0], [3.0, 5.0]])).tolist() == [[3, 0]]


def test_batches_shuffle_and_keep_images():  # 4-28
    images, labels = np.arange(24.0).reshape(6, 2, 2), np.arange(6)
    batches = list(lnc.generate_batches(images, labels, size=4, generator=torch.Generator().manual_seed(0)))
    assert [(tuple(x.shape), tuple(y.shape)) for x, y in batches] == [((4, 2, 2), (4, 1)), ((2, 2, 2), (2, 1))]
    order = torch.cat([y for _, y in batches])[:, 0]
    assert order.tolist() != list(range(6))
    assert torch.equal(torch.cat([x for x, _ in batches])[:, 0, 0], order * 4.0)
    with pytest.raises(ValueError, match="different numbers of examples"):
        list(lnc.generate_batches(images, labels[:-1]))


def test_gradient_descent_goes_down():  # 4-38: w' = w - lr dL/dw, where the text has a plus
    x, y = torch.randn(20, 3), torch.ones(20)
    loss = lnc.LogLoss(Dense(1))
    optimizer = lnc.SGD(loss.network)
    values = []
    for _ in range(5):
        values.append(loss(x, y).item())
        loss.backward()
        optimizer.step()
    assert values == sorted(values, reverse=True)


def test_cross_entropy_moves_every_logit():  # 4-38: not only the positive label's, as the text has it
    loss = lnc.CrossEntropy(lnc.Softmax())
    loss(torch.zeros(1, 3), torch.tensor([1]))
    torch.testing.assert_close(loss.backward(input_grad=True), torch.tensor([[1.0, -2.0, 1.0]]) / 3)


def test_import_paths():  # 4-36
    import lincoln
    from lincoln.layers import Dense as D
    from lincoln.layers import Sequential as S

    assert (lincoln.models.Classifier, lincoln.losses.LogLoss, lincoln.optim.SGD, D, S) == (
        lnc.Classifier,
        lnc.LogLoss,
        lnc.SGD,
        Dense,
        Sequential,
    )
