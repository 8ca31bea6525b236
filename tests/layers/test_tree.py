"""Layers in layers."""

import torch

import lincoln as lnc
from lincoln.layers import (
    Dense,
    Layer,
    Linear,
    Sequential,
    Tanh,
)


def test_layers_in_lists_and_beside_a_sequence_are_seen():
    class Parallel(Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return sum(layer.forward(input) for layer in self.inner)

        def _backward(self, output_grad):
            return sum(layer.backward(output_grad) for layer in self.inner)

    class Skip(Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.skip = Linear(3)

        def _forward(self, input):
            return super()._forward(input) + self.skip.forward(input)

        def _backward(self, output_grad):
            return super()._backward(output_grad) + self.skip.backward(output_grad)

    network = Sequential(Parallel([Linear(3), Linear(3)]), Skip(Linear(3), Tanh()))
    report = lnc.check_gradients(network, torch.randn(4, 2))
    assert report, report
    assert [row.name for row in report.comparisons][1:] == [
        f"{path}.{name}" for path in ("0.inner.0", "0.inner.1", "1.0", "1.skip") for name in ("W", "B")
    ]
    assert lnc.check_gradients(lnc.LogLoss(Sequential(network, Dense(1))), torch.randn(4, 2), torch.ones(4))
