"""What Classifier's defaults reach, beside scikit-learn's: `python benchmarks/defaults.py [--epochs 100]`.

Digits and breast cancer, standardized and raw, a quarter of the examples held out. Each network is fitted with the default
loss, optimizer and batch size. A row ends in the warning, if the fit gave one.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import lincoln as lnc
from lincoln.layers import Dense, Layer, Sequential

NETWORKS: dict[str, Callable[[int], Layer]] = {
    "no hidden layer": lambda outputs: Sequential(_last(outputs)),
    "10 sigmoid": lambda outputs: Sequential(Dense(10), _last(outputs)),
    "64 relu": lambda outputs: Sequential(Dense(64, "relu"), _last(outputs)),
    "32 tanh": lambda outputs: Sequential(Dense(32, "tanh"), _last(outputs)),
}


def _last(outputs: int) -> Layer:
    return Dense(1) if outputs == 2 else Dense(outputs, "softmax")


def held_out(load: Callable[..., tuple[np.ndarray, np.ndarray]], standardized: bool) -> list[np.ndarray]:
    """Return features to train on and to test on, and the labels of both."""
    x, y = load(return_X_y=True)
    train, test, *labels = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    if standardized:
        train, test = lnc.standardize(train), lnc.standardize(test, like=train)
    return [train, test, *labels]


def fitted(network: Layer, train: np.ndarray, labels: np.ndarray, epochs: int) -> tuple[lnc.Classifier, str]:
    """Return a classifier with the defaults, and the warning of its fit."""
    model = lnc.Classifier(network)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(train, labels, epochs=epochs, print_every=None, progress=False, seed=0)
    return model, str(caught[0].message) if caught else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    epochs = parser.parse_args().epochs
    for title, load in (("digits", load_digits), ("breast cancer", load_breast_cancer)):
        for standardized in (True, False):
            train, test, y_train, y_test = held_out(load, standardized)
            print(f"{title}, {'standardized' if standardized else 'raw'}: accuracy on training and test data")
            for model in (LogisticRegression(max_iter=5000), MLPClassifier(max_iter=1000, random_state=0)):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(train, y_train)
                print(f"  {type(model).__name__:20}{model.score(train, y_train):.3f}  {model.score(test, y_test):.3f}")
            for name, make in NETWORKS.items():
                own, warning = fitted(make(len(np.unique(y_train))), train, y_train, epochs)
                print(f"  {name:20}{own.score(train, y_train):.3f}  {own.score(test, y_test):.3f}  {warning}")


if __name__ == "__main__":
    main()
