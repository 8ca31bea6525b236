"""Find a rare class by a grid search over a pipeline, with MLPClassifier in scikit-learn's place.

One example in twenty is positive. A grid over the L2 penalty and dropout is searched by cross-validation in two processes.
Then fits with and without class weights are compared, and the learning curves with and without the regularization found.
The plot goes to the folder named on the command line, by default grid_search_plots in the current directory.

    python examples/grid_search.py [FOLDER]
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from lincoln.estimators import MLPClassifier
from lincoln.plots import loss_curves

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SEED = 0
GRID = {"mlp__alpha": [1e-4, 1.0], "mlp__dropout": [0.0, 0.4]}


def load() -> list[np.ndarray]:
    """Return features for training, validation and test, 60:20:20, then their labels, of which 1 in 20 is positive."""
    X, y = make_classification(
        4000, 20, n_informative=8, n_clusters_per_class=3, weights=[0.95], class_sep=1.3, flip_y=0.02, random_state=SEED
    )
    X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
    X_train, X_val, y_train, y_val = train_test_split(X_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=SEED)
    return [X_train, X_val, X_test, y_train, y_val, y_test]


def pipeline(**parameters) -> Pipeline:
    mlp = MLPClassifier((64, 64), learning_rate_init=0.002, tol=1e-3, random_state=SEED, dtype="float32")
    return Pipeline([("scale", StandardScaler()), ("mlp", mlp)]).set_params(**parameters)


def search(X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the parameters with the largest area under the ROC curve in 3-fold cross-validation."""
    found = GridSearchCV(pipeline(mlp__class_weight="balanced"), GRID, scoring="roc_auc", cv=3, n_jobs=2).fit(X, y)
    for parameters, mean, std in zip(
        found.cv_results_["params"],
        found.cv_results_["mean_test_score"],
        found.cv_results_["std_test_score"],
        strict=True,
    ):
        mark = "  <- best" if parameters == found.best_params_ else ""
        print(f"  alpha {parameters['mlp__alpha']:<7g} dropout {parameters['mlp__dropout']:<4g}", end="")
        print(f" ROC AUC {mean:.4f} +- {std:.4f}{mark}")
    return found.best_params_


def compare_weights(best: dict[str, float], X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> None:
    """Print how many of the rare class are found with and without class weights."""
    for weight in (None, "balanced", {0: 1, 1: 5}):
        model = pipeline(mlp__class_weight=weight, **best).fit(X, y)
        predicted = model.predict(X_test)
        print(
            f"  class_weight {weight!s:13} recall {recall_score(y_test, predicted):.3f}, "
            f"precision {precision_score(y_test, predicted):.3f}, "
            f"balanced accuracy {balanced_accuracy_score(y_test, predicted):.3f}, "
            f"ROC AUC {roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]):.3f}"
        )


def learning_curves(best: dict[str, float], X_train, y_train, X_val, y_val, path: Path) -> None:
    """Plot training and validation loss by epoch. The validation features are scaled as the pipeline scales the others."""
    scaler = StandardScaler().fit(X_train)
    validation = (scaler.transform(X_val), y_val)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharex=True, sharey=True, layout="constrained")
    plain = {"mlp__alpha": 1e-4, "mlp__dropout": 0.0}
    for ax, name, parameters in ((axes[0], "Plain", plain), (axes[1], "Best of the grid", best)):
        model = pipeline(mlp__class_weight="balanced", mlp__validation_data=validation, **parameters).fit(X_train, y_train)
        mlp = model["mlp"]
        loss_curves(mlp.history_, ax)
        ax.set(title=f"{name}: alpha {mlp.alpha:g}, dropout {mlp.dropout:g}", ylabel="log loss, balanced classes")
        ax.grid(alpha=0.3)
        ax.label_outer()
        lowest = min(mlp.validation_loss_curve_)
        print(f"  {name:17}{mlp.history_}, lowest validation loss {lowest:.4f} in epoch {mlp.history_.best_epoch}")
    axes[0].set(ylim=(0, None))
    figure.savefig(path, dpi=120)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "grid_search_plots")
    folder.mkdir(parents=True, exist_ok=True)
    X_train, X_val, X_test, y_train, y_val, y_test = load()
    print(f"{len(y_train)} examples to train on, {y_train.sum()} of them positive")
    print("Grid search:")
    best = search(X_train, y_train)
    print(f"Test data, {len(y_test)} examples, {y_test.sum()} positive:")
    compare_weights(best, X_train, y_train, X_test, y_test)
    print("Learning curves:")
    learning_curves(best, X_train, y_train, X_val, y_val, folder / "learning_curves.png")
    print(f"Plot: {(folder / 'learning_curves.png').resolve()}")


if __name__ == "__main__":
    main()
