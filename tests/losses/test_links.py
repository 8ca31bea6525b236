"""Links: the functions that a network may end in."""

import torch

import lincoln as lnc
from lincoln.layers import Dense, Linear, Sequential, Sigmoid


def test_links_are_split_off_at_any_depth():
    shallow = Sequential(Dense(4, "tanh"), Linear(1), Sigmoid())
    deep = Sequential(Sequential(Dense(4, "tanh"), Sequential(Linear(1))), Sequential(Sequential(Sigmoid())))
    x, y = torch.randn(6, 3), torch.ones(6)
    losses = [lnc.LogLoss(shallow), lnc.LogLoss(deep)]
    for loss in losses:
        loss(x, y)
    deep.load_state_dict(dict(zip(deep.state_dict(), shallow.state_dict().values(), strict=True)))
    assert losses[0](x, y) == losses[1](x, y)
    assert shallow[2].pending is None, "the sigmoid itself is never run"


class Steep(Sigmoid):
    """sigmoid(5 a): a subclass of the link that computes another function."""

    def _forward(self, input):
        return super()._forward(5 * input)

    def _backward(self, output_grad):
        return 5 * super()._backward(output_grad)


def test_a_subclass_of_the_link_is_not_the_link():
    loss = lnc.LogLoss(Sequential(Linear(1), Steep()))
    x, y = torch.randn(6, 3), torch.ones(6, 1)
    value = loss(x, y)
    torch.testing.assert_close(value, torch.nn.functional.binary_cross_entropy(loss.network.eval()(x), y, reduction="sum"))
