"""Fit a linear regression by gradient descent: with a loop by hand, with the trainer, and as a picture of the descent.

The data are generated: y = x w + b + noise, with 6 features. Plots go to the folder linear_regression_plots in the current
directory.
"""

from pathlib import Path

import matplotlib
import torch

import lincoln as lnc
from lincoln import plots
from lincoln.callbacks import WeightRecorder
from lincoln.data import make_regression

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path("linear_regression_plots")
EPOCHS, LR = 10, 0.1


def by_hand(X: torch.Tensor, y: torch.Tensor, start: dict[str, torch.Tensor]) -> list[float]:
    """Return the loss of each epoch of a loop by hand. Gradients are overwritten, so none are set to zero."""
    model = lnc.Linear(1)
    loss, optimizer = lnc.MSE(model), lnc.SGD(model, lr=LR)
    model(X)
    model.load_state_dict(start)
    losses = []
    for _ in range(EPOCHS):
        losses.append(loss(X, y).item())  # the prediction and its loss
        loss.backward()  # dL/dW and dL/dB, by hand-written formulas
        optimizer.step()  # W <- W - lr dL/dW
    return losses


def by_trainer(model: lnc.Layer, X: torch.Tensor, y: torch.Tensor, epochs: int) -> tuple[lnc.History, list[torch.Tensor]]:
    """Return the history of the same run by the trainer, and a copy of the parameters before it and after each epoch."""
    recorder = WeightRecorder()
    config = lnc.TrainerConfig(num_epochs=epochs, train_minibatch_size=len(X), shuffle_minibatches=False, progress=None)
    trainer = lnc.Trainer(model, config, lnc.MSE, lambda m: lnc.SGD(m, lr=LR), lnc.Dataset(X, y), callbacks=[recorder])
    return trainer.train(), recorder.path


def descent(generator: torch.Generator) -> None:
    """Save a plot of the loss over one weight and one bias, with the path of gradient descent."""
    X, y = make_regression(200, 1, noise=0.5, generator=generator)
    model = lnc.Linear(1)
    model(X)
    model.load_state_dict({"W": torch.tensor([[-2.0]]), "B": torch.tensor([[2.0]])})
    _, path = by_trainer(model, X, y, epochs=30)
    ax = plots.loss_surface(lnc.MSE(model), X, y, torch.stack(path))
    ax.set_title("Gradient descent on a linear regression")
    ax.figure.savefig(FOLDER / "descent.png", dpi=120)


def main() -> None:
    generator = torch.Generator().manual_seed(42)
    X, y = make_regression(4096, 6, generator=generator)
    torch.manual_seed(0)
    model = lnc.Linear(1)
    model(X[:1])
    start = model.state_dict()
    print(f"{model!r}: {sum(tensor.numel() for tensor in model.parameters())} parameters")

    losses = by_hand(X, y, start)
    result, parameters = by_trainer(model, X, y, EPOCHS)
    for epoch, loss in enumerate(result.losses, 1):
        print(f"epoch {epoch:2d}  loss {loss:.4f}  parameters {[round(value, 2) for value in parameters[epoch].tolist()]}")
    print(f"the loop by hand gives the same losses: {torch.allclose(torch.tensor(losses), torch.tensor(result.losses))}")
    print(f"R2 {lnc.metrics.r2(y, model.eval()(X)):.4f}")

    FOLDER.mkdir(exist_ok=True)
    result.plot().figure.savefig(FOLDER / "loss.png", dpi=120)
    descent(generator)
    plt.close("all")
    print(f"Plots: {', '.join(path.name for path in sorted(FOLDER.glob('*.png')))} in {FOLDER.resolve()}")


if __name__ == "__main__":
    main()
