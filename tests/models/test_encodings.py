"""The encodings of labels by themselves: labels to targets, and predictions to labels."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln import Dense, Linear
from lincoln.errors import DataError
from lincoln.models.encoding import (
    Classes,
    ClassNumbers,
    ClassProbabilities,
    Indicators,
    Numbers,
    SortedLabels,
    class_encoding,
)

LETTERS = np.array(["a", "c", "b", "a"])
CASES = {  # encoding, labels, targets, a prediction, its labels
    "numbers": (lambda y: Numbers(y), [1.5, 2.0], [1.5, 2.0], [[3.0], [4.0]], [3.0, 4.0]),
    "two columns of numbers": (lambda y: Numbers(y), [[1, 2]], [[1, 2]], [[3.0, 4.0]], [[3.0, 4.0]]),
    "letters": (
        lambda y: Classes(SortedLabels(np.unique(y)), exclusive=True),
        LETTERS,
        [0, 2, 1, 0],
        [[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]],
        ["c", "a"],
    ),
    "two objects": (
        lambda y: Classes(SortedLabels(np.unique(y)), exclusive=False),
        np.array(["no", "yes"], dtype=object),
        [0, 1],
        [[0.4], [0.5]],
        ["no", "yes"],
    ),
    "above the threshold": (
        lambda y: Classes(SortedLabels(np.unique(y)), exclusive=False, at_threshold=False),
        [7, 9],
        [0, 1],
        [[0.5], [0.6]],
        [7, 9],
    ),
    "one class": (lambda y: Classes(SortedLabels(np.unique(y)), exclusive=False), ["x"], [0], [[0.2], [0.9]], ["x", "x"]),
    "class numbers": (lambda y: Classes(ClassNumbers(y.dtype), exclusive=False), [0, 1], [0, 1], [[0.2], [0.9]], [0, 1]),
    "whole floats": (
        lambda y: class_encoding(y, lnc.CrossEntropy(Dense(2, "softmax"))),
        [0.0, 1.0],
        [0, 1],
        [[0.2, 0.8]],
        [1.0],
    ),
    "probabilities": (lambda y: ClassProbabilities(2), [[0.3, 0.7]], [[0.3, 0.7]], [[0.9, 0.1]], [0]),
    "indicators": (lambda y: Indicators(ClassNumbers(y.dtype)), [[0, 1]], [[0, 1]], [[0.5, 0.4]], [[1, 0]]),
    "words as indicators": (
        lambda y: class_encoding(y, lnc.LogLoss(Dense(2))),
        [["no", "yes"]],
        [[0, 1]],
        [[0.9, 0.1]],
        [["yes", "no"]],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_labels_become_targets_and_predictions_labels(case):
    make, labels, targets, prediction, predicted = CASES[case]
    encoding = make(np.asarray(labels))
    assert encoding.encode(labels).tolist() == targets
    assert encoding.decode(encoding.encode(labels)).tolist() == np.asarray(labels).tolist() or case == "probabilities"
    assert encoding.decode(encoding.decide(torch.tensor(prediction, dtype=torch.float64))).tolist() == predicted


@pytest.mark.parametrize("case", CASES)
def test_labels_of_the_same_form_keep_the_encoding(case):
    make, labels, *_ = CASES[case]
    before, after = make(np.asarray(labels)), make(np.asarray(labels))
    assert after.continuing(before) is before
    assert after.continuing(None) is after
    assert after.continuing(Numbers(np.zeros((1, 1, 1)))) is after


def test_the_loss_says_what_the_labels_are():
    sigmoid, softmax = lnc.LogLoss(Dense(1)), lnc.CrossEntropy(Linear(3), from_logits=True)
    columns = np.array([[0, 1], [1, 0]])
    assert [type(class_encoding(y, sigmoid)) for y in ([0, 1], columns)] == [Classes, Indicators]
    assert [type(class_encoding(y, softmax)) for y in ([0, 1], columns, columns / 1)] == [
        Classes,
        Classes,
        ClassProbabilities,
    ]


@pytest.mark.parametrize(("outputs", "fits"), [(3, True), (4, False)])
def test_sorted_labels_need_an_output_each(outputs, fits):
    encoding = class_encoding(LETTERS, lnc.CrossEntropy(Dense(3, "softmax")))
    if fits:
        encoding.accept_outputs(outputs)
    else:
        with pytest.raises(DataError, match=r"3 classes \(a, b, c\), and the network has 4 outputs"):
            encoding.accept_outputs(outputs)


def test_probabilities_of_two_classes_are_a_column_each():
    encoding = Classes(ClassNumbers(np.dtype(int)), exclusive=False)
    assert encoding.probabilities(torch.tensor([[0.25]])).tolist() == [[0.75, 0.25]]
