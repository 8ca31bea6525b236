"""Cross entropy."""

import pytest
import torch

import lincoln as lnc
from lincoln.layers import Dense, Softmax


def test_cross_entropy_is_exact_where_probabilities_round():
    loss = lnc.CrossEntropy(Softmax())
    z = torch.tensor([[1000.0, 0.0, -1000.0]])
    assert loss(z, torch.tensor([2])).item() == 2000
    assert loss.backward(input_grad=True).tolist() == [[1, 0, -1]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_cross_entropy_takes_class_indices_of_any_kind(dtype, shape):
    loss = lnc.CrossEntropy(Dense(3, "softmax"))
    x = torch.randn(6, 3)
    y = torch.arange(6) % 3
    assert loss(x, y.to(dtype).reshape(shape)) == loss(x, torch.nn.functional.one_hot(y, 3).float())


def test_losses_on_sequences():
    x = torch.randn(4, 7, 3)
    y = torch.randint(0, 5, (4, 7))
    loss = lnc.CrossEntropy(Dense(5, "softmax"))
    expected = torch.nn.functional.cross_entropy(torch.log(loss.network.eval()(x)).flatten(0, 1), y.flatten())
    torch.testing.assert_close(loss(x, y), expected)
    assert lnc.check_gradients(loss, x, y)
    assert lnc.check_gradients(loss, x, y, torch.rand(4))


class Halved:
    def gradient_from_logits(self, z, y):
        return lnc.CrossEntropy.gradient_from_logits(self, z, y) / 2


@pytest.mark.parametrize("bases", [(Halved, lnc.CrossEntropy), (lnc.CrossEntropy,)], ids=["mixed in", "overridden"])
def test_a_formula_of_a_subclass_is_used_in_training(bases):
    own = {} if Halved in bases else {"gradient_from_logits": Halved.gradient_from_logits}
    mine = type("Mine", bases, own)
    x, y = torch.randn(5, 4), torch.arange(5) % 3
    network = Dense(3, "softmax")
    lnc.CrossEntropy(network)(x, y)
    for heir in (mine, type("Heir", (mine,), {})):
        gradients = []
        for kind in (lnc.CrossEntropy, heir):
            loss = kind(network)
            loss(x, y)
            loss.backward()
            gradients.append(network.flatten()[1].clone())
        torch.testing.assert_close(gradients[1] * 2, gradients[0])


def test_cross_entropy_of_a_sure_answer_keeps_its_digits():
    z = torch.tensor([[1000.0, 990.0]])
    loss, _ = lnc.CrossEntropy(Dense(2, "softmax")).value_and_gradient_from_logits(z, torch.tensor([0]))
    torch.testing.assert_close(loss, torch.log1p(torch.exp(torch.tensor([-10.0]))))
