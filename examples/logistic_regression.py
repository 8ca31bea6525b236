"""Fit two logistic regressions: one feature with PyTorch's initial weights, and 4096 examples with validation.

The first run repeats a PyTorch notebook number by number: it draws torch's random numbers in the same order, copies its
initial weights, and takes batches from its DataLoader. Plots go to the folder logistic_regression_plots in the current
directory.
"""

from functools import partial
from pathlib import Path

import matplotlib
import torch
from torch import nn
from torch.utils.data import DataLoader

import lincoln as lnc
from lincoln import plots
from lincoln.data import linearly_separable, make_classification
from lincoln.interop import from_torch
from lincoln.steps import make_train_step

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path("logistic_regression_plots")
mean_log_loss = partial(lnc.LogLoss, reduction="mean")  # the Bernoulli negative log-likelihood, as torch's BCELoss


def one_feature() -> None:
    """Train 20 epochs of 80 batches of 5, in order, and print the loss of each epoch's last batch."""
    torch.manual_seed(1)
    data = linearly_separable(b=0, w=1)
    loader = DataLoader(data, batch_size=5)
    print(f"{len(data)} samples, the first ({data[0][0].item():g}, {data[0][1].item():g}), {len(list(loader))} batches")

    model = from_torch(nn.Sequential(nn.Linear(1, 1), nn.Sigmoid()))
    train_step = make_train_step(model, mean_log_loss, partial(lnc.SGD, lr=0.05))
    losses = [[train_step(x, y) for x, y in loader][-1] for _ in range(20)]
    print("losses", " ".join(f"{loss:.6f}" for loss in losses))
    print(f"weight {model[0].W.item():.4f}, bias {model[0].B.item():.4f}")

    x, y = linearly_separable(b=0, w=1).tensors  # new noise
    p = model.eval()(x)
    print(f"accuracy on unseen data {lnc.accuracy(y, (p > 0.5).float()):.4f}")

    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    left.semilogy(range(1, 21), losses, marker="o")
    left.set(xlabel="epoch", ylabel="loss of the last batch", xticks=range(0, 21, 5), title="Training")
    right.plot(x, y, ".", alpha=0.2, label="unseen data")
    right.plot(x, p, label="P(y = 1)")
    right.set(xlabel="x", ylabel="y", title="The fitted sigmoid")
    right.legend()
    left.figure.savefig(FOLDER / "one_feature.png", dpi=120)


def with_validation() -> None:
    """Train on 4096 examples of 6 features in batches of 32, and validate on 1024 in batches of 64."""
    generator = torch.Generator().manual_seed(42)
    X, y = make_classification(4096 + 1024, 6, generator=generator)
    train, validation = lnc.Dataset(X[:4096], y[:4096]), lnc.Dataset(X[4096:], y[4096:])
    config = lnc.TrainerConfig(num_epochs=10, train_minibatch_size=32, val_minibatch_size=64, seed=42)
    model = lnc.Dense(1)
    trainer = lnc.Trainer(model, config, mean_log_loss, partial(lnc.SGD, lr=0.3), train, validation)
    result = trainer.train()
    p = model.eval()(validation.tensors[0])
    print(result)
    print(f"validation ROC AUC {lnc.metrics.roc_auc(y[4096:], p):.4f}")
    result.plot().figure.savefig(FOLDER / "loss.png", dpi=120)
    plots.roc(y[4096:], p).figure.savefig(FOLDER / "roc.png", dpi=120)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    one_feature()
    with_validation()
    plt.close("all")
    print(f"Plots: {', '.join(path.name for path in sorted(FOLDER.glob('*.png')))} in {FOLDER.resolve()}")


if __name__ == "__main__":
    main()
