"""Generated data: shapes, dtypes, and targets that depend on the features."""

import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError


def test_generated_data_depend_on_the_features():
    """In the seeds they do not: there the best log loss is log 2, and the best R2 is 0."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    def generator():
        return torch.Generator().manual_seed(42)

    X, y = lnc.data.make_classification(5120, 6, generator=generator())
    assert (X.shape, y.shape, y.dtype) == ((5120, 6), (5120, 1), torch.float32)
    assert set(y[:, 0].tolist()) == {0, 1}
    assert LogisticRegression().fit(X, y[:, 0]).score(X, y[:, 0]) > 0.85
    X3, y3 = lnc.data.make_classification(2000, 6, 3, generator())
    assert (y3.shape, y3.dtype, set(y3.tolist())) == ((2000,), torch.int64, {0, 1, 2})
    assert LogisticRegression().fit(X3, y3).score(X3, y3) > 0.75
    X, y = lnc.data.make_regression(4096, 6, generator=generator())
    assert (X.shape, y.shape) == ((4096, 6), (4096, 1))
    fitted = LinearRegression().fit(X, y)
    assert fitted.score(X, y) > 0.99
    assert (y - torch.tensor(fitted.predict(X))).std().item() == pytest.approx(0.1, rel=0.05), "noise is the noise of y"
    again, _ = lnc.data.make_regression(4096, 6, generator=generator())
    assert torch.equal(X, again)
    with pytest.raises(ArgumentError):
        lnc.data.make_classification(10, 2, num_classes=1)
    with pytest.raises(ArgumentError):
        lnc.data.make_regression(0, 2)


def test_linearly_separable():
    torch.manual_seed(1)
    data = lnc.data.linearly_separable(b=0, w=1)
    assert len(data) == 400
    assert data[0][0].tolist() == [-2.0]
    assert data[0][1].tolist() == [0.0]
    x, y = data.tensors
    assert 0.95 < ((x > 0) == y.bool()).float().mean() < 1
    exact = lnc.data.linearly_separable(b=0.505, w=1, sigma=0).tensors
    assert torch.equal(exact[1], (exact[0] > -0.505).float())
