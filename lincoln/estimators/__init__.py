"""scikit-learn estimators: its multilayer perceptrons, and any network of lincoln's, trained by lincoln's `Trainer`."""

from lincoln.estimators.mlp import MLPClassifier, MLPRegressor
from lincoln.estimators.networks import NetworkClassifier, NetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"]
