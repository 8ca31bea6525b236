"""Diagnose breast cancer with a network whose gradients are written by hand, and compare it with autograd.

The data are 569 tumours with 30 measurements each, scikit-learn's copy of the Wisconsin diagnostic data. Plots go
to the folder breast_cancer_plots in the current directory.
"""

import time
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import torch
from rich import print
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split

import lincoln as lnc
from lincoln.layers import Dense, Sequential

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EPOCHS, BATCH, LR, SEED = 200, 128, 0.003, 0
FOLDER = Path("breast_cancer_plots")


def load() -> tuple[np.ndarray, ...]:
    """Return standardized features and 0/1 labels (1 is benign) for training, validation and test, 60:20:20."""
    data = load_breast_cancer()
    split = partial(train_test_split, random_state=SEED)
    x, x_test, y, y_test = split(data.data, data.target, test_size=0.2, stratify=data.target)
    x_train, x_val, y_train, y_val = split(x, y, test_size=0.25, stratify=y)
    scaled = [lnc.standardize(part, like=x_train) for part in (x_train, x_val, x_test)]  # by the training data's statistics
    return scaled[0], y_train, scaled[1], y_val, scaled[2], y_test


def shuffled(features, labels, size):
    """Yield batches in an order that depends on the state of GENERATOR alone."""
    return lnc.generate_batches(features, labels, size, generator=GENERATOR)


def train_with_lincoln(initial: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Train the network from these weights, without validation. Return the final weights and the seconds it took."""
    network = Sequential(Dense(10), Dense(1))
    network(x)
    network.load_state_dict(initial)
    GENERATOR.manual_seed(SEED)
    model = lnc.Classifier(network, optimizer=partial(lnc.SGD, lr=LR), batch_gen=shuffled)
    history = model.fit(x, y, EPOCHS, print_every=None, batch_size=BATCH, progress=False)
    return network.flatten()[0], history.seconds


def train_with_autograd(initial: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Train the same network with PyTorch. Return the same, with the weights in the order of `flatten`."""
    hidden, output = torch.nn.Linear(30, 10), torch.nn.Linear(10, 1)
    with torch.no_grad():
        for layer, name in ((hidden, "0.linear"), (output, "1.linear")):
            layer.weight.copy_(initial[f"{name}.W"].T)
            layer.bias.copy_(initial[f"{name}.B"][0])
    network = torch.nn.Sequential(hidden, torch.nn.Sigmoid(), output, torch.nn.Sigmoid())
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    loss = torch.nn.BCELoss(reduction="sum")
    GENERATOR.manual_seed(SEED)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        for features, labels in shuffled(x, y, BATCH):
            optimizer.zero_grad()
            loss(network(features), labels).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    weights = [part for layer in (hidden, output) for part in (layer.weight, layer.bias)]
    return torch.cat([part.detach().reshape(-1) for part in weights]), seconds


def plot(history: lnc.History, y_test: np.ndarray, p_test: np.ndarray) -> None:
    """Save plots of the loss by epoch, and of confusion matrix and ROC curve on the test data."""
    FOLDER.mkdir(exist_ok=True)
    names = ["malignant", "benign"]
    figure, ax = plt.subplots(layout="constrained")
    epochs = range(1, history.epochs + 1)
    ax.plot(epochs, history.losses, label="training")
    ax.plot(epochs, history.val_losses, label="validation")
    ax.set(xlabel="epoch", ylabel="log loss per example", yscale="log", title="Loss")
    ax.legend()
    figure.savefig(FOLDER / "loss.png", dpi=120)
    matrix = ConfusionMatrixDisplay.from_predictions(y_test, p_test >= 0.5, display_labels=names, cmap="Blues")
    matrix.ax_.set_title("Test data, threshold 0.5")
    matrix.figure_.savefig(FOLDER / "confusion_matrix.png", dpi=120)
    roc = RocCurveDisplay.from_predictions(y_test, p_test, name="lincoln", plot_chance_level=True)
    roc.ax_.set_title("Test data, benign against malignant")
    roc.figure_.savefig(FOLDER / "roc.png", dpi=120)
    print(f"Plots: {', '.join(path.name for path in sorted(FOLDER.glob('*.png')))} in {FOLDER.resolve()}")


def main() -> None:
    torch.set_num_threads(1)  # the network is small: threads would mostly wait for each other
    x_train, y_train, x_val, y_val, x_test, y_test = load()
    x = torch.tensor(x_train, dtype=torch.float32)
    y = torch.tensor(y_train, dtype=torch.float32).reshape(-1, 1)
    torch.manual_seed(SEED)
    network = Sequential(Dense(10), Dense(1))
    loss = lnc.LogLoss(network)
    loss(x, y)  # the first forward builds the weights
    initial = network.state_dict()

    print(lnc.summary(network, (BATCH, 30)))
    print(lnc.check_gradients(loss, x[:BATCH], y[:BATCH]))

    GENERATOR.manual_seed(SEED)
    model = lnc.Classifier(network, loss, partial(lnc.SGD, lr=LR), batch_gen=shuffled)
    history = model.fit(x_train, y_train, EPOCHS, print_every=60, batch_size=BATCH, validation_data=(x_val, y_val))
    p_test = model.predict_proba(x_test)[:, 1]
    print(history)
    print(f"Test accuracy {model.score(x_test, y_test):.4f}, ROC AUC {roc_auc_score(y_test, p_test):.4f}")

    ours, seconds = train_with_lincoln(initial, x, y)
    theirs, autograd_seconds = train_with_autograd(initial, x, y)
    print(
        f"{EPOCHS} epochs from the same weights on the same batches: lincoln {seconds:.3f} s, PyTorch autograd "
        f"{autograd_seconds:.3f} s; final weights, up to {theirs.abs().max():.2f}, differ by "
        f"{(ours - theirs).abs().max():.1e}"
    )
    plot(history, y_test, p_test)


GENERATOR = torch.Generator()

if __name__ == "__main__":
    main()
