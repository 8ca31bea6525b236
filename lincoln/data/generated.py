"""Generated data, to try things out."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from lincoln._util.settings import AT_LEAST_ONE, Rule, integer, setting
from lincoln.data.dataset import Dataset

_AT_LEAST_TWO = Rule("an integer of at least 2", integer, lambda n: n >= 2)


def make_classification(
    num_samples: int, num_features: int, num_classes: int = 2, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Return X (n, i), standard normal, and labels y with P(y = c | x) = softmax(x V)_c, where V (i, classes) ~ N(0, 4).

    For two classes y is (n, 1) float32, for `LogLoss`; for more, (n,) class indices, for `CrossEntropy`. Raises
    ArgumentError for fewer than one sample or feature, or fewer than two classes.
    """
    n = setting("make_classification", "num_samples", num_samples, AT_LEAST_ONE)
    i = setting("make_classification", "num_features", num_features, AT_LEAST_ONE)
    classes = setting("make_classification", "num_classes", num_classes, _AT_LEAST_TWO)
    X = torch.randn(n, i, generator=generator)
    V = 2 * torch.randn(i, classes, generator=generator)
    y = torch.multinomial(torch.softmax(X @ V, -1), 1, generator=generator)
    return X, y.float() if classes == 2 else y[:, 0]


def make_regression(
    num_samples: int, num_features: int, noise: float = 0.1, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Return X (n, i), standard normal, and y = X w + b + noise e, (n, 1), with w, b and e ~ N(0, 1).

    Raises ArgumentError for fewer than one sample or feature.
    """
    n = setting("make_regression", "num_samples", num_samples, AT_LEAST_ONE)
    i = setting("make_regression", "num_features", num_features, AT_LEAST_ONE)
    X = torch.randn(n, i, generator=generator)
    w = torch.randn(i, 1, generator=generator)
    b = torch.randn(1, generator=generator)
    return X, X @ w + b + noise * torch.randn(n, 1, generator=generator)


def linearly_separable(b: float = 0.0, w: float = 1.0, sigma: float = 0.1, generator: Generator | None = None) -> Dataset:
    """Return x = -2, -1.99, ..., 1.99, (400, 1), and y, (400, 1): 1 where b + w x + sigma e > 0, e ~ N(0, 1), else 0."""
    X = torch.arange(-2, 2, 0.01).view(-1, 1)
    e = torch.randn(X.shape, generator=generator)
    return Dataset(X, (b + w * X + sigma * e > 0).float())
