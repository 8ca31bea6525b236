"""A network with `fit` and `predict`."""

from lincoln.models.base import Classifier, Regressor

__all__ = ["Classifier", "Regressor"]
