"""The input of metrics and plots: what is accepted, what it becomes, and what is refused."""

import numpy as np
import pytest
import torch

from lincoln._util.measured import (
    as_array,
    class_indices,
    class_labels,
    class_probabilities,
    classes_in,
    finite_numbers,
    positive_probabilities,
    same_numbers,
    same_shape,
)
from lincoln.errors import DataError, DimensionError, MatchError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        ([[1], [2]], [1, 2]),
        (torch.tensor([[1.5], [2.5]]).bfloat16(), [1.5, 2.5]),
        (torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0]),
        (torch.zeros(2, 1, 1), [[[0.0]], [[0.0]]]),
    ],
)
def test_as_array(values, expected):
    assert as_array(values).tolist() == expected


def test_as_array_on_a_device(device):
    assert as_array(torch.ones(2, 1, device=device)).tolist() == [1.0, 1.0]


def test_same_shape_counts_a_column_as_a_vector():
    t, p = same_shape([0, 1], torch.tensor([[1], [0]]))
    assert t.tolist() == [0, 1]
    assert p.tolist() == [1, 0]
    with pytest.raises(MatchError, match=r"targets have shape \(1,\), predictions \(2,\); expected the same"):
        same_shape([0], [0, 1])


def test_same_numbers_are_tables():
    for numbers, expected in (([1, 2], [[1.0], [2.0]]), (np.ones((2, 2, 2)), [[1.0] * 4] * 2)):
        for array in same_numbers(numbers, numbers):
            assert array.dtype == np.float64
            assert array.tolist() == expected


@pytest.mark.parametrize("values", [[True, False], [1, 0], np.array([1, 0], "uint8"), np.array([1, 0.0], dtype=object)])
def test_finite_numbers_are_float64(values):
    numbers = finite_numbers("x", np.asarray(values))
    assert numbers.dtype == np.float64
    assert numbers.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 2)), r"^x: no data \(shape \(0, 2\)\)$"),
        (np.array(1.0), r"^x: no data \(shape \(\)\)$"),
        (np.array(["a"]), r"^x of shape \(1,\) have dtype <U1; expected numbers$"),
        (np.array([1j]), r"^x of shape \(1,\) have dtype complex128; expected numbers$"),
        (np.array([[0.0, np.inf]]), r"^x hold inf \(at \(0, 1\)\); expected finite numbers$"),
    ],
)
def test_numbers_that_are_refused(array, message):
    with pytest.raises(DataError, match=message):
        finite_numbers("x", array)


def test_class_labels():
    assert class_labels("y", np.array([0.0, 2.0]), "").dtype == np.int64
    assert class_labels("y", np.array(["a", "bc"], dtype=object), "").tolist() == ["a", "bc"]
    assert class_labels("y", np.array([[True, False]]), "").tolist() == [[1, 0]]
    with pytest.raises(DataError, match=r"^y hold 0\.5 \(at 1\); expected classes, whole numbers or strings: swapped\?$"):
        class_labels("y", np.array([1, 0.5]), "swapped?")
    with pytest.raises(DataError, match=r"^y hold 3 \(at \(0, 1\)\); expected 0 and 1 for several labels per example, sh"):
        class_labels("y", np.array([[0, 3]]), "")


@pytest.mark.parametrize(
    ("labels", "expected"), [([1, 1], [0, 1]), ([0], [0, 1]), ([3, 3], [3]), ([2, 0, 2], [0, 2]), (["b", "a"], ["a", "b"])]
)
def test_classes_in(labels, expected):
    assert classes_in(np.array(labels)).tolist() == expected


def test_class_indices():
    t, p, classes = class_indices(["b", "a"], ["c", "a"])
    assert (t.tolist(), p.tolist(), classes.tolist()) == ([1, 0], [2, 0], ["a", "b", "c"])
    t, p, classes = class_indices([[1, 0, 1]], [[1, 1, 1]])
    assert (t.tolist(), p.tolist(), classes.tolist()) == ([[1, 0, 1]], [[1, 1, 1]], [0, 1, 2])


@pytest.mark.parametrize(
    ("targets", "probabilities", "t", "p"),
    [
        ([-1, 1], [0.25, 0.75], [0, 1], [0.25, 0.75]),
        (["no", "yes"], [[0.75, 0.25], [0.5, 0.5]], [0, 1], [0.25, 0.5]),
        (["b", "c", "a"], np.eye(3), [1, 2, 0], np.eye(3).tolist()),
        ([2, 2], np.eye(3)[:2], [2, 2], np.eye(3)[:2].tolist()),
        ([[0, 1]], [[0.5, 0.25]], [[0, 1]], [[0.5, 0.25]]),
    ],
)
def test_class_probabilities(targets, probabilities, t, p):
    found = class_probabilities(targets, probabilities)
    assert found[0].tolist() == t
    assert found[1].tolist() == p
    assert found[1].dtype == np.float64


def test_scores_in_place_of_probabilities():
    assert class_probabilities([0, 1], [-3, 5], scores=True)[1].tolist() == [-3, 5]
    assert class_probabilities([[0, 1]], [[-3, 5]], scores=True)[1].tolist() == [[-3, 5]]
    for targets, scores in (([0, 1], [-3, 5]), ([[0, 1]], [[-3, 5]])):
        with pytest.raises(DataError, match=r"probabilities hold -3 .*; expected 0 to 1: send log-odds through"):
            class_probabilities(targets, scores)
    with pytest.raises(DataError, match=r"probabilities hold 2 \(at \(0, 0\)\); expected 0 to 1"):
        class_probabilities([0, 1, 2], 2 * np.eye(3), scores=True)


def test_positive_probabilities():
    t, p = positive_probabilities([1, 0], [[0.25, 0.75], [1, 0]], "roc")
    assert (t.tolist(), p.tolist()) == ([1, 0], [0.75, 0.0])
    with pytest.raises(DimensionError, match=r"^roc: probabilities have shape \(3, 3\); expected \(n,\): take one class"):
        positive_probabilities([0, 1, 2], np.eye(3), "roc")
