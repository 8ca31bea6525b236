"""Callbacks: what is done at named points of a training run."""

from lincoln.callbacks.base import Callback, ParameterRecorder, WeightRecorder

__all__ = ["Callback", "ParameterRecorder", "WeightRecorder"]
