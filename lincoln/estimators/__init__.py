"""scikit-learn estimators, trained by `Trainer`: its multilayer perceptrons, and any network."""

from lincoln.estimators.mlp import MLPClassifier, MLPRegressor
from lincoln.estimators.networks import NetworkClassifier, NetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"]
