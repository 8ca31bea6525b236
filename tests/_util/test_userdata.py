"""The one place that turns users' data into tensors: what is converted, and what is refused with its place and its cure."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch

from lincoln._util.userdata import as_tensor, check_numbers
from lincoln.errors import DataError

NAN = float("nan")
GRAD = torch.ones(2, requires_grad=True)
TAKEN = {  # data, the dtype of the tensor, its values
    "bools beside numbers": (pd.DataFrame({"a": [1.5, 2], "b": [True, False]}), torch.float64, [[1.5, 1], [2, 0]]),
    "nullable columns": (
        pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean")}),
        torch.float64,
        [[1, 1], [NAN, NAN]],
    ),
    "one nullable column": (pd.Series([1, None], dtype="Float64"), torch.float64, [1, NAN]),
    "nullable without missing": (pd.DataFrame({"a": pd.array([1, 2], dtype="Int64")}), torch.int64, [[1], [2]]),
    "categories that are numbers": (
        pd.DataFrame({"a": [1.0, 2], "c": pd.Categorical([3, 4])}),
        torch.float64,
        [[1, 3], [2, 4]],
    ),
    "pandas' sparse columns": (
        pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1]), "b": [1, 2]}),
        torch.float64,
        [[0, 1], [1, 2]],
    ),
    "decimals and fractions": ([[Decimal("1.5"), Fraction(1, 4)]], torch.float64, [[1.5, 0.25]]),
    "a decimal NaN": ([Decimal(1), Decimal("sNaN")], torch.float64, [1, NAN]),
    "integers as objects": (np.array([[1, 2]], dtype=object), torch.int64, [[1, 2]]),
    "bools as objects": (np.array([True, False], dtype=object), torch.bool, [True, False]),
    "missing of every kind": ([1, None, NAN, pd.NA, pd.NaT], torch.float64, [1, NAN, NAN, NAN, NAN]),
    "integers beyond int64": ([2**70, 1], torch.float64, [2.0**70, 1]),
    "integers beyond float64": ([10**400, -(10**400)], torch.float64, [float("inf"), -float("inf")]),
    "polars": (
        pl.DataFrame({"a": [1.5, None], "b": [True, None], "c": [1, 2]}),
        torch.float64,
        [[1.5, 1, 1], [NAN, NAN, 2]],
    ),
    "polars' decimals": (pl.DataFrame({"a": [Decimal("1.5"), None]}), torch.float64, [[1.5], [NAN]]),
    "long doubles": (np.array([1.5], dtype=np.longdouble), torch.float64, [1.5]),
    "tensors with gradients": ([GRAD, GRAD], torch.float32, [[1, 1], [1, 1]]),
    "numbers with gradients": ([torch.ones((), requires_grad=True)], torch.float64, [1]),
    "bfloat16 in a list": ([torch.ones(2, dtype=torch.bfloat16)], torch.float32, [[1, 1]]),
    "float8": (torch.ones(2).to(torch.float8_e4m3fn), torch.float32, [1, 1]),
    "a mask that hides nothing": (np.ma.array([1.0, 2.0]), torch.float64, [1, 2]),
    "other byte order": (np.array([1.5], dtype=">f8"), torch.float64, [1.5]),
    "backwards": (np.arange(3)[::-1], torch.int64, [2, 1, 0]),
    "a range": (range(3), torch.int64, [0, 1, 2]),
    "a frame without columns": (pd.DataFrame(index=[0, 1]), torch.float64, [[], []]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_numbers_of_every_kind_are_taken(case):
    data, dtype, values = TAKEN[case]
    tensor = as_tensor("features", data)
    assert tensor.dtype == dtype
    assert not tensor.requires_grad
    np.testing.assert_array_equal(tensor.numpy(), np.array(values, dtype=tensor.numpy().dtype))


def quiet(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


EYE = np.eye(4)
FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")
DENSE = r"lincoln\.estimators.*csr_tensor"
REFUSED = {
    **{f"scipy {form}": (lambda form=form: sp.csr_matrix(EYE).asformat(form), DENSE) for form in FORMATS},
    **{f"scipy {form} array": (lambda form=form: sp.csr_array(EYE).asformat(form), DENSE) for form in FORMATS},
    "torch coo": (lambda: torch.eye(4).to_sparse(), DENSE),
    "torch csr": (lambda: torch.eye(4).to_sparse_csr(), DENSE),
    "torch csc": (lambda: torch.eye(4).to_sparse_csc(), DENSE),
    "torch bsr": (lambda: torch.eye(4).to_sparse_bsr((2, 2)), DENSE),
    "torch bsc": (lambda: torch.eye(4).to_sparse_bsc((2, 2)), DENSE),
    "a list of sparse rows": (lambda: [sp.csr_matrix(EYE)], DENSE),
    "a list of sparse tensors": (lambda: [torch.eye(4).to_sparse()], DENSE),
    "masked": (lambda: np.ma.masked_equal(EYE + 1, 2), r"masked values, the first at \(0, 0\)"),
    "masked labels": (lambda: np.ma.array([1, 2, 3], mask=[0, 0, 1]), "masked values, the first at 2"),
    "masked in a list": (lambda: [np.ma.array([1, 2]), np.ma.array([1, 2], mask=[0, 1])], r"the first at \(1, 1\)"),
    "the constant masked": (lambda: [1.0, np.ma.masked], "the first at 1"),
    "a masked tensor": (lambda: torch.masked.masked_tensor(torch.eye(2), torch.eye(2) > 0), r"the first at \(0, 1\)"),
    "complex": (lambda: torch.ones(3) * 1j, r"features: dtype torch.complex64 holds no real numbers; use .real and .imag"),
    "a complex array": (lambda: EYE * 1j, "complex128 holds no real numbers"),
    "complex objects": (lambda: np.array([1, 1j], dtype=object), "complex numbers, the first 1j at 1"),
    "quantized": (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8), "dequantize"),
    "nested": (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "to_padded_tensor"),
    "meta": (lambda: torch.ones(3, device="meta"), "meta device"),
    "a single number": (lambda: 3.0, r"a single number \(3.0\)"),
    "a single tensor": (lambda: torch.tensor(3.0), "a single number"),
    "a column of text": (
        lambda: pd.DataFrame({"a": [1.0, 2], "t": ["x", "y"]}),
        "features: column 't' holds text, the first 'x' in row 0",
    ),
    "text in a column": (
        lambda: pd.DataFrame({"a": [1.0, 2], "t": [1, "n/a"]}),
        "column 't' holds text, the first 'n/a' in row 1",
    ),
    "one column of text": (lambda: pd.DataFrame({"t": ["x", "y"]}), "column 't' holds text"),
    "categories": (lambda: pd.DataFrame({"a": [1.0], "t": pd.Categorical(["x"])}), "column 't' holds text"),
    "dates": (lambda: pd.DataFrame({"a": [1.0], "t": pd.to_datetime(["2020-01-01"])}), "column 't' holds dates"),
    "complex columns": (lambda: pd.DataFrame({"a": [1.0], "t": [1j]}), "column 't' holds complex numbers"),
    "polars' text": (
        lambda: pl.DataFrame({"a": [1.0, 2], "t": [None, "x"]}),
        "column 't' holds text, the first 'x' in row 1",
    ),
    "strings": (lambda: np.array([["a"]]), "features: dtype <U1 holds no real numbers"),
    "strings beside numbers": (lambda: [1.0, "a"], "text, the first 'a' at 1"),
    "records": (lambda: np.zeros(3, dtype=[("a", float)]), "take one field"),
    "rows of other lengths": (lambda: [[1, 2], [3]], "a list that numpy cannot read"),
    "a generator": (lambda: (i for i in range(3)), "a generator; expected an array"),
    "a dict": (lambda: {"a": [1]}, "a dict; expected an array"),
    "nothing": (lambda: None, "a NoneType"),
    "lazy": (lambda: pl.LazyFrame({"a": [1]}), "a LazyFrame"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_numbers_is_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as refusal:
        as_tensor("features", quiet(make))
    assert str(refusal.value).startswith("features: ")
    assert len(str(refusal.value)) <= 500


def test_a_generator_is_not_consumed():
    numbers = (i for i in range(3))
    with pytest.raises(DataError):
        as_tensor("features", numbers)
    assert list(numbers) == [0, 1, 2]


@pytest.mark.parametrize(
    "data", [np.ones((3, 2)), np.ones((3, 2), dtype=np.int8), np.ones((3, 4))[:, ::2], np.ones((3, 2), order="F")]
)
def test_plain_arrays_are_not_copied(data):
    assert np.shares_memory(as_tensor("features", data).numpy(), data)
    tensor = torch.as_tensor(data)
    assert as_tensor("features", tensor).data_ptr() == tensor.data_ptr()


def test_the_place_of_what_is_missing():
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": pd.array([True, False, None], dtype="boolean")})
    with pytest.raises(DataError, match=r"features: NaN or infinite values, the first \(nan\) at \(2, 1\)"):
        check_numbers("features", as_tensor("features", frame))
