"""A network with `fit` and `predict`."""

from lincoln.models.classifier import Classifier
from lincoln.models.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
