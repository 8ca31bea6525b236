"""Callbacks: what to do at named points of a training run."""

from lincoln.callbacks.base import Callback
from lincoln.callbacks.early_stopping import EarlyStopping
from lincoln.callbacks.recorders import ParameterRecorder, WeightRecorder

__all__ = ["Callback", "EarlyStopping", "ParameterRecorder", "WeightRecorder"]
