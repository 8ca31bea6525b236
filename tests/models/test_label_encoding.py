"""Labels as users write them: strings, unusual types, classes of an earlier fit, classes that are missing."""

from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_iris

import lincoln as lnc
from lincoln import Classifier
from lincoln.errors import DataError, StateError
from lincoln.layers import Dense


@pytest.mark.parametrize("kind", [list, np.array, partial(np.array, dtype=object)])
def test_string_labels(kind):
    x, y = two_blobs()
    names = kind([["cat", "dog"][label] for label in y])
    model = classifier()
    quiet_fit(model, x, names, validation_data=(x[:10], names[:10]))
    assert model.classes_.tolist() == ["cat", "dog"]
    assert model.predict(x[:4]).tolist() == ["cat", "dog", "cat", "dog"]
    assert model.score(x, names) > 0.95
    with pytest.raises(DataError, match=r"'cow' is no class of the training data \(cat, dog\)"):
        model.score(x[:1], ["cow"])


def test_three_string_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, iris.data, names, epochs=50)
    assert set(model.predict(iris.data)) == {"setosa", "versicolor", "virginica"}


@pytest.mark.parametrize("form", ["object", "bytes", "bfloat16"])
def test_labels_of_unusual_types(form):
    x, y = two_blobs()
    labels = {
        "object": np.array(y.tolist(), dtype=object),
        "bytes": np.array([b"cat", b"dog"])[y],
        "bfloat16": torch.tensor(y).to(torch.bfloat16),
    }[form]
    model = classifier()
    quiet_fit(model, x, labels)
    assert model.score(x, labels) > 0.9


def test_complex_labels():
    x, y = two_blobs()
    with pytest.raises(DataError, match=r"labels: dtype complex128 holds no real numbers \(complex numbers"):
        quiet_fit(classifier(), x, y * 1j)


def test_a_second_fit_keeps_the_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1))
    quiet_fit(model, iris.data, names, epochs=50)
    score = model.score(iris.data, names)
    model.optimizer.lr = 1e-9
    quiet_fit(model, iris.data[50:], names[50:], epochs=1)
    assert model.score(iris.data, names) == pytest.approx(score, abs=0.01)
    with pytest.raises(DataError, match="'rose' is no class of the training data"):
        quiet_fit(model, iris.data, np.where(names == "setosa", "rose", names))
    with pytest.raises(DataError, match=r"the classifier knows strings|the classifier's classes are strings"):
        model.score(iris.data, iris.target)


def test_more_outputs_than_classes():
    x, y = two_blobs()
    model = Classifier(Dense(5, "softmax"), lnc.CrossEntropy)
    with pytest.raises(DataError, match=r"2 classes \(cat, dog\), and the network has 5 outputs"):
        quiet_fit(model, x, np.array(["cat", "dog"])[y])
    with pytest.raises(StateError):
        model.predict(x)
    quiet_fit(model, x, y)
    assert model.classes_.tolist() == [0, 1, 2, 3, 4]


def test_a_class_seen_only_in_validation():
    x, y = two_blobs()
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy)
    history = quiet_fit(model, x, y, validation_data=(x, y + 1), epochs=2)
    assert len(history.val_metrics) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3], "class indices hold 3 .*the network has 3 outputs, so expected 0 to 2"),
        ([0, 1, -1, 2], "labels: -1 found; class labels are whole numbers from 0"),
        ([0, 1, 0.5, 2], "labels: .* whole numbers"),
        (["a", "b", "c", "d"], "class indices hold 3"),
    ],
)
def test_labels_outside_the_classes(labels, message):
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy)
    with pytest.raises(DataError, match=message):
        quiet_fit(model, np.eye(4), labels)
    with pytest.raises(StateError):
        model.predict(np.eye(4))


NAN = float("nan")
MISSING = {
    "NaN among strings": ["cat", "dog", NAN, "cat"],
    "None among strings": ["cat", "dog", None, "cat"],
    "a column of text": pd.Series(["cat", "dog", None, "cat"]),
    "a column of strings": pd.Series(["cat", "dog", None, "cat"], dtype="string"),
    "categories": pd.Series(["cat", "dog", None, "cat"], dtype="category"),
    "an object array": np.array(["cat", "dog", NAN, "cat"], dtype=object),
    "a nullable column": pd.Series([0, 1, None, 0], dtype="Int64"),
    "None among numbers": [0, 1, None, 0],
    "a decimal": [Decimal(0), Decimal(1), Decimal("NaN"), Decimal(0)],
    "polars' text": pl.Series(["cat", "dog", None, "cat"]),
    "a date": np.array(["cat", "dog", pd.NaT, "cat"], dtype=object),
}


@pytest.mark.parametrize("case", MISSING)
def test_labels_that_are_missing(case):
    with pytest.raises(DataError, match=r"^labels: missing at 2$|^labels: .*\(nan\) at 2"):
        quiet_fit(classifier(), np.eye(4), MISSING[case])


ODD = {
    "numbers among strings": (["cat", "dog", 3, "cat"], "a mix of int, str; .*, the first other is 3 at 2"),
    "strings among numbers": ([0, 1, "cat", 1], "a mix of int, str; .*, the first other is 'cat' at 2"),
    "bytes among strings": (["cat", "dog", b"cat", "cat"], "a mix of bytes, str; .*, the first other is b'cat' at 2"),
    "bytes of another encoding": (
        np.array([b"cat", b"dog", b"\xff", b"cat"]),
        r"bytes that are not UTF-8 \(b'.xff'\).* at 2",
    ),
    "bytes as objects": ([b"cat", b"dog", b"\xff", b"cat"], r"not UTF-8 \(b'.xff'\).* at 2"),
    "complex objects": (np.array([0, 1, 1j, 0], dtype=object), "complex"),
    "dates": (pd.to_datetime(["2020-01-01"] * 4), "dates, the first"),
    "objects": ([object()] * 4, r"objects \(object\)"),
    "two decimals": ([Decimal(1), Decimal(2)] * 2, "labels: 1.0, 2.0 found, LogLoss expects 0 and 1"),
    "large": (np.array([0, 2**64 - 1] * 2, dtype=np.uint64), "0, 18446744073709551615 found"),
    "masked": (np.ma.array([0, 1, 0, 1], mask=[0, 0, 1, 0]), "labels: masked values, the first at 2"),
}


@pytest.mark.parametrize("case", ODD)
def test_labels_that_are_not_plain(case):
    labels, message = ODD[case]
    with pytest.raises(DataError, match=f"labels: .*({message})|{message}") as refusal:
        quiet_fit(classifier(), np.eye(4), labels)
    assert len(str(refusal.value)) <= 500


@pytest.mark.parametrize("large", [np.array([0, 1, 2**64 - 1], dtype=np.uint64), [0, 1, 2**70], [0, 1, 1e300]])
def test_labels_beyond_int64_are_shown_as_they_are(large):
    with pytest.raises(DataError, match=r"18446744073709551615|1.18\d+e\+21|1e\+300") as refusal:
        quiet_fit(Classifier(Dense(3, "softmax"), lnc.CrossEntropy), np.eye(3), large)
    assert "-9" not in str(refusal.value)


TAKEN = {
    "bytes in UTF-8": np.array(["früh".encode(), "spät".encode()]),
    "bytes as objects": np.array(["früh".encode(), "spät".encode()], dtype=object),
    "numpy's bools": np.array([np.False_, np.True_], dtype=object),
    "decimals": np.array([Decimal(0), Decimal(1)], dtype=object),
    "large integers": np.array([0, 1], dtype=np.uint64),
    "variable strings": np.array(["cat", "dog"], dtype=np.dtypes.StringDType()),
}


@pytest.mark.parametrize("case", TAKEN)
def test_labels_that_are_taken(case):
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, TAKEN[case][y])
    assert model.score(x, TAKEN[case][y]) > 0.9


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool, np.float16, np.uint16, np.int64])
def test_classes_are_numbered_beyond_the_labels_dtype(dtype):
    x, y = two_blobs(n=40)
    model = Classifier(Dense(3000, "softmax"), lnc.CrossEntropy)
    quiet_fit(model, x, y.astype(dtype), epochs=1)
    np.testing.assert_array_equal(model.classes_, np.arange(3000))
    few = Classifier(Dense(2, "softmax"), lnc.CrossEntropy)
    quiet_fit(few, x, y.astype(dtype), epochs=1)
    assert few.classes_.dtype == dtype


ONE_HOT = {
    "ints": lambda rows: rows.astype(int),
    "bools": lambda rows: rows.astype(bool),
    "uint8": lambda rows: rows.astype(np.uint8),
    "a tensor": torch.tensor,
    "a tensor of bools": lambda rows: torch.tensor(rows).bool(),
    "a list": lambda rows: rows.tolist(),
    "a frame": lambda rows: pd.DataFrame(rows.astype(bool), columns=list("abc")),
    "a frame of mixed numbers": lambda rows: pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1] > 0, "c": rows[:, 2]}),
    "polars": lambda rows: pl.DataFrame({name: rows[:, i] > 0 for i, name in enumerate("abc")}),
}


@pytest.mark.parametrize("form", ONE_HOT)
def test_one_hot_rows_of_integers_or_bools(form):
    iris = load_iris()
    rows = np.eye(3, dtype=int)[iris.target]
    model, plain = (Classifier(Dense(3, "softmax"), lnc.CrossEntropy, partial(lnc.Adam, lr=0.1)) for _ in range(2))
    one_hot = ONE_HOT[form](rows)
    history = quiet_fit(model, iris.data, one_hot, validation_data=(iris.data, one_hot))
    assert history.losses == quiet_fit(plain, iris.data, iris.target).losses
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(iris.data, one_hot) == model.score(iris.data, iris.target) == plain.score(iris.data, iris.target)
    quiet_fit(model, iris.data, one_hot, epochs=1)
    with pytest.raises(DataError, match=r"labels: row 1 is \[1, 1, 0\]; expected one-hot rows"):
        model.score(iris.data[:2], [[1, 0, 0], [1, 1, 0]])


def test_one_hot_rows_of_another_width():
    model = Classifier(Dense(3, "softmax"), lnc.CrossEntropy)
    with pytest.raises(ValueError, match="one-hot rows of 4 columns, and the network has 3 outputs"):
        quiet_fit(model, np.eye(4), np.eye(4, dtype=int)[[0, 1, 2, 0]])
