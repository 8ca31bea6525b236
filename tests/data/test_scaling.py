"""Features on one scale."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.preprocessing import StandardScaler

import lincoln as lnc
from lincoln.errors import DataError


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_standardize(kind):
    x = np.random.default_rng(0).normal(5, 3, (40, 3))
    x[:, 1] = 0.1  # constant, and no binary fraction
    given = x if kind == "array" else torch.tensor(x)
    scaled = np.asarray(lnc.standardize(given))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(0), [1, 0, 1])
    assert (scaled[:, 1] == 0).all()
    new = np.full((2, 3), 0.7)
    expected = (new - x.mean(0)) / x.std(0)
    got = np.asarray(lnc.standardize(new if kind == "array" else torch.tensor(new), like=given))
    np.testing.assert_allclose(got[:, [0, 2]], expected[:, [0, 2]])
    assert (got[:, 1] == 0).all()


def test_standardize_keeps_type():
    assert lnc.standardize(np.ones((2, 2), dtype=np.float32)).dtype == np.float32
    assert lnc.standardize(np.ones((2, 2), dtype=np.int32)).dtype == np.float64
    assert lnc.standardize(torch.ones(2, 2, dtype=torch.int32)).dtype == torch.float32
    assert lnc.standardize(torch.ones(2, 3, 4)).shape == (2, 3, 4)


def test_standardize_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="like has"):
        lnc.standardize(np.ones((2, 3)), like=np.ones((2, 4)))
    with pytest.raises(DataError, match="no examples"):
        lnc.standardize(np.ones((0, 3)))
    with pytest.raises(DataError, match="no real numbers"):
        lnc.standardize(np.array([["a"], ["b"]]))


FORMS = {
    "array": np.asarray,
    "float32": lambda x: np.asarray(x, dtype=np.float32),
    "tensor": torch.tensor,
    "float32 tensor": lambda x: torch.tensor(x, dtype=torch.float32),
    "frame": pd.DataFrame,
    "nullable frame": lambda x: pd.DataFrame(x).convert_dtypes(),
    "polars": lambda x: pl.DataFrame(x).with_columns(pl.all().fill_nan(None)),
    "list": lambda x: x.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("role", ["features", "like"])
def test_a_missing_value_stays_alone(form, role):
    x = np.random.default_rng(0).normal(5, 3, (40, 2))
    x[17, 1] = np.nan
    expected = StandardScaler().fit_transform(x)
    scaled = lnc.standardize(FORMS[form](x), **({} if role == "features" else {"like": FORMS[form](x)}))
    np.testing.assert_allclose(np.asarray(scaled), expected, atol=2e-6 if "32" in form else 1e-12)
    with pytest.raises(DataError, match=r"features: NaN or infinite values, the first \(nan\) at \(17, 1\)"):
        lnc.Classifier(lnc.Sequential(lnc.Dense(1))).fit(scaled, np.arange(40) % 2, epochs=1, print_every=None)


def test_a_column_of_missing_values():
    x = np.array([[np.nan, 1.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(lnc.standardize(x), [[np.nan, -1], [np.nan, 1]])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, pd.DataFrame])
def test_infinite_values_are_refused_with_their_place(kind, value):
    x = np.ones((40, 2))
    x[17, 1] = value
    with pytest.raises(DataError, match=rf"features: infinite values, the first \({value}\) at \(17, 1\)"):
        lnc.standardize(kind(x))
    with pytest.raises(DataError, match=r"like: infinite values"):
        lnc.standardize(kind(np.ones((1, 2))), like=kind(x))


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-160, 1e160, 1e200, 1e307])
def test_squares_neither_overflow_nor_vanish(scale):
    x = np.random.default_rng(0).uniform(-9, 9, (40, 2))
    given = x * [scale, 1.0]
    with np.errstate(all="ignore"):
        tolerance = 1e-12 if scale > 1e-300 else 1e-6
    np.testing.assert_allclose(lnc.standardize(given), lnc.standardize(x), rtol=tolerance, atol=tolerance)
    new = lnc.standardize(given[:3], like=given)
    np.testing.assert_allclose(new, lnc.standardize(x)[:3], rtol=tolerance, atol=tolerance)
    given[5, 0] = np.nan
    assert np.isnan(lnc.standardize(given)).sum() == 1


CONSTANT = {
    "the last bit": [0.1 + 0.2, 0.3, 0.3, 0.3],
    "large": [1e15 / 3, np.nextafter(1e15 / 3, 1e16), 1e15 / 3],
    "small": [1e-9 / 3, np.nextafter(1e-9 / 3, 1), 1e-9 / 3],
    "negative": [-0.3, -(0.1 + 0.2), -0.3],
    "tiny": [1e-200 / 3, np.nextafter(1e-200 / 3, 1), 1e-200 / 3],
    "beside a missing value": [0.1 + 0.2, 0.3, np.nan, 0.3],
    "float32": np.array([0.3, np.nextafter(np.float32(0.3), np.float32(1)), 0.3], dtype=np.float32),
    "float16": np.array([0.3, np.nextafter(np.float16(0.3), np.float16(1)), 0.3], dtype=np.float16),
    "many": np.where(np.arange(1000) % 3, 0.3, 0.1 + 0.2),
}


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("case", CONSTANT)
def test_columns_that_are_constant_but_for_rounding(case, kind):
    column = kind(np.asarray(CONSTANT[case])[:, None])
    scaled = np.asarray(lnc.standardize(column))
    assert (scaled[~np.isnan(scaled)] == 0).all()
    assert (np.asarray(lnc.standardize(column * 0 + 7, like=column))[~np.isnan(scaled)] == 0).all()


@pytest.mark.parametrize(
    "column",
    [
        np.array([1e9, 1e9 + 1, 1e9 + 2]),
        np.array([1.0, 1 + 1e-9, 1 - 1e-9]),
        np.array([0.0, 1e-200, 2e-200]),
        np.array([1.0, 1 + 1e-5], dtype=np.float32),
        np.array([10**12, 10**12 + 1]),
    ],
)
def test_real_small_spreads_stay(column):
    scaled = lnc.standardize(column[:, None])
    x = np.asarray(column - column[0], dtype=np.float64) / np.asarray(column - column[0], dtype=np.float64).max()
    np.testing.assert_allclose(scaled[:, 0], (x - x.mean()) / x.std(), rtol=1e-3, atol=1e-6)


def test_plain_columns_are_scaled_as_before():
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * 3 + 5
    d = x.double()
    assert torch.equal(lnc.standardize(x), ((d - d.mean(0)) / d.std(0, correction=0)).float())


def test_columns_in_another_order_than_in_like():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]})
    with pytest.raises(DataError, match="The feature names should match those that were passed during fit"):
        lnc.standardize(frame[["b", "a"]], like=frame)
