"""A training step is one graph of torch.compile, optimizer included."""

import copy

import pytest
import torch

import lincoln as lnc
from lincoln.layers import Dense, Sequential

CASES = {
    "log loss, sgd": (lambda: lnc.LogLoss(Sequential(Dense(6, "relu"), Dense(1))), lambda n: lnc.SGD(n), (8, 1)),
    "momentum": (
        lambda: lnc.LogLoss(Sequential(Dense(6), Dense(1))),
        lambda n: lnc.SGD(n, momentum=0.9, nesterov=True),
        (8, 1),
    ),
    "cross entropy, adam": (lambda: lnc.CrossEntropy(Sequential(Dense(6, "tanh"), Dense(3, "softmax"))), lnc.Adam, None),
    "squared error, adamw": (lambda: lnc.MSE(Sequential(Dense(6, "tanh"), Dense(1, None))), lnc.AdamW, (8, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_whole_step_is_one_graph(case):
    make_loss, make_optimizer, shape = CASES[case]
    loss = make_loss()
    optimizer = make_optimizer(loss.network)
    x = torch.randn(8, 4)
    y = torch.arange(8) % 3 if shape is None else torch.randint(0, 2, shape).float()

    def stepper(loss, optimizer):
        def step(x, y):
            value = loss(x, y)
            loss.backward()
            optimizer.step()
            return value

        return step

    stepper(loss, optimizer)(x, y)  # builds and flattens
    twin_loss, twin_optimizer = copy.deepcopy((loss, optimizer))
    stepper(loss, optimizer)(x, y)
    stepper(twin_loss, twin_optimizer)(x, y)
    torch._dynamo.reset()
    compiled = torch.compile(stepper(twin_loss, twin_optimizer), fullgraph=True, backend="aot_eager")
    for _ in range(5):
        torch.testing.assert_close(compiled(x, y), stepper(loss, optimizer)(x, y))
    torch.testing.assert_close(twin_loss.network.flatten()[0], loss.network.flatten()[0])
    assert twin_optimizer.steps == optimizer.steps
    explained = torch._dynamo.explain(stepper(twin_loss, twin_optimizer))(x, y)
    assert explained.graph_count == 1
    assert explained.graph_break_count == 0
