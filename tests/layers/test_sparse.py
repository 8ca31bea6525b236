"""Linear layers of sparse inputs."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lincoln.layers import (
    SparseLinear,
    csr_tensor,
)


@given(
    n=st.integers(1, 6),
    i=st.integers(1, 9),
    o=st.integers(1, 5),
    bias=st.booleans(),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_sparse_inputs_give_what_dense_ones_give(n, i, o, bias, seed, dtype):
    """Values and gradients agree; test_every_layer.py compares those of dense inputs with autograd."""
    torch.manual_seed(seed)
    x = torch.randn(n, i, dtype=dtype) * (torch.rand(n, i) < 0.3)
    layer = SparseLinear(o, bias=bias)
    y = layer(x)
    g = torch.randn_like(y)
    input_grad = layer.backward(g)
    grads = [grad.clone() for grad in layer.grads()]
    sparse = csr_tensor(csr_array(x.numpy()))
    torch.testing.assert_close(layer(sparse), y)
    torch.testing.assert_close(layer.backward(g), input_grad)
    torch.testing.assert_close(list(layer.grads()), grads)
    assert layer(sparse).dtype == dtype


def test_a_csr_tensor_in_the_dtype_asked_for():
    assert csr_tensor(csr_array((2, 5)), torch.float32).dtype == torch.float32
    assert csr_tensor(csr_array((2, 5))).dtype == torch.float64
