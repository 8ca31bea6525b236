"""Solve a classification problem step by step: data, model, training, checkpoint, predictions, boundary, thresholds.

The data are two half-moons, the model a logistic regression on log-odds from PyTorch's initial weights (seed 42). Plots and
checkpoints go to the folder step_by_step_plots in the current directory.
"""

import shutil
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

import lincoln as lnc
from lincoln import metrics, plots
from lincoln.interop import from_torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path("step_by_step_plots")


def load() -> tuple[torch.Tensor, ...]:
    """Return 80 points for training and 20 for validation, standardized by the statistics of the 80."""
    X, y = make_moons(n_samples=100, noise=0.3, random_state=0)
    X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.2, random_state=13)
    scaler = StandardScaler().fit(X_train)
    arrays = scaler.transform(X_train), scaler.transform(X_val), y_train, y_val
    return tuple(torch.as_tensor(array).float() for array in arrays)


def make_trainer(X_train, X_val, y_train, y_val, epochs: int) -> lnc.Trainer:
    torch.manual_seed(42)
    model = from_torch(nn.Sequential(nn.Linear(2, 1)))
    loss = partial(lnc.LogLoss, reduction="mean", from_logits=True)
    config = lnc.TrainerConfig(
        num_epochs=epochs, train_minibatch_size=16, seed=42, checkpoint_folder=FOLDER, keep_checkpoints=1, log_interval=20
    )
    train, validation = lnc.Dataset(X_train, y_train), lnc.Dataset(X_val, y_val)
    return lnc.Trainer(model, config, loss, partial(lnc.SGD, lr=0.1), train, validation)


def thresholds(y: torch.Tensor, p: torch.Tensor) -> None:
    """Print the errors at a lower and a higher threshold."""
    for threshold in (0.3, 0.5, 0.7):
        predicted = (p >= threshold).long()
        print(f"threshold {threshold}: confusion matrix {metrics.confusion_matrix(y, predicted).tolist()}", end="")
        for name in ("true_positive_rate", "false_positive_rate", "precision", "accuracy"):
            print(f", {name} {getattr(metrics, name)(y, predicted):.3f}", end="")
        print()


def draw(trainer: lnc.Trainer, X_train, X_val, y_train, y_val, p) -> None:
    trainer.history.plot().figure.savefig(FOLDER / "loss.png", dpi=120)
    _, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for ax, name, X, y in ((axes[0], "training", X_train, y_train), (axes[1], "validation", X_val, y_val)):
        plots.decision_boundary(trainer.model, X, y, ax, from_logits=True)
        ax.set_title(f"Decision boundary, {name} data", pad=24)
    axes[0].figure.savefig(FOLDER / "boundary.png", dpi=120)
    plots.confusion_matrix(y_val, (p >= 0.5).long()).figure.savefig(FOLDER / "confusion_matrix.png", dpi=120)
    plots.threshold_curve(y_val, p).figure.savefig(FOLDER / "thresholds.png", dpi=120)
    plt.close("all")


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)  # a new run refuses a folder with the checkpoints of another
    data = load()
    _, X_val, _, y_val = data
    trainer = make_trainer(*data, epochs=60)
    print("initial", {name: tensor.flatten().tolist() for name, tensor in trainer.model.state_dict().items()})
    trainer.train()
    trainer = make_trainer(*data, epochs=100)  # perhaps in another process
    print(f"resuming from {trainer.resume().name}")
    trainer.train()
    (w1, w2), b = trainer.model[0].W.flatten().tolist(), trainer.model[0].B.item()
    print(f"final weights {w1:.4f} {w2:.4f}, bias {b:.4f}; boundary x2 = {-b / w2:.4f} + {-w1 / w2:.4f} x1")
    z = trainer.model.eval()(X_val)
    p = torch.sigmoid(z)
    print("log-odds", np.round(z[:4, 0].numpy(), 4), "probabilities", np.round(p[:4, 0].numpy(), 4))
    thresholds(y_val, p)
    draw(trainer, *data, p)
    print(f"Plots: {', '.join(path.name for path in sorted(FOLDER.glob('*.png')))} in {FOLDER.resolve()}")


if __name__ == "__main__":
    main()
