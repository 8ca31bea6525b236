"""Every exception of lincoln's own that users can catch."""


class LincolnError(Exception):
    """Base of them all; `message` is the text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MatchError(LincolnError, ValueError):
    """Two tensors that belong together differ in shape, dtype or device."""


class DimensionError(LincolnError, ValueError):
    """A tensor has the wrong number of dimensions."""


class DataError(LincolnError, ValueError):
    """Features or targets cannot be learned from: empty, not finite, of unequal length, or outside the classes."""


class ArgumentError(LincolnError, ValueError):
    """An argument is outside what it may be."""


class StateError(LincolnError, RuntimeError):
    """A call came too early: backward before forward, step before backward, predict before fit."""


class LayerError(LincolnError, RuntimeError):
    """A layer's own `_forward` or `_backward` failed; the original error is its `__cause__`."""


class CheckpointError(LincolnError, OSError):
    """A file cannot be written, or is no checkpoint, damaged, or of another version."""


class DivergenceError(LincolnError, ArithmeticError):
    """The loss or the weights stopped being finite; the network holds the last finite weights."""
