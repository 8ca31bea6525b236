"""The exceptions. Each is a LincolnError and also the built-in exception that fits it."""

_LONGEST = 500
_HEAD, _TAIL = 330, 160  # what is wrong stands at the beginning, the cure at the end


class LincolnError(Exception):
    """Base class of all exceptions below; `message` is the text, of at most 500 characters."""

    def __init__(self, message: str) -> None:
        message = message.encode(errors="backslashreplace").decode()  # a name with a lone surrogate could not be printed
        if len(message) > _LONGEST:
            message = f"{message[:_HEAD]} ... {message[-_TAIL:]}"
        super().__init__(message)
        self.message = message


class MatchError(LincolnError, ValueError):
    """Raised when two things that belong together differ: tensors in shape, dtype or device, a state and its owner."""


class DimensionError(LincolnError, ValueError):
    """Raised when a tensor has the wrong number of dimensions."""


class DataError(LincolnError, ValueError):
    """Raised when features, targets or weights are unusable: empty, not finite, of different lengths, or out of range."""


class ArgumentError(LincolnError, ValueError):
    """Raised when an argument or a setting has a value that is not allowed."""


class StateError(LincolnError, RuntimeError):
    """Raised when a call comes too early: backward before forward, step before backward, predict before fit."""


class LayerError(LincolnError, RuntimeError):
    """Raised when a layer's own `_forward` or `_backward` fails; `__cause__` is the original exception."""


class CheckpointError(LincolnError, OSError):
    """Raised when a file cannot be written or read: it is missing, damaged, no checkpoint, or of an unknown version."""


class DamagedFileError(CheckpointError):
    """Raised when a checkpoint was read to its end and is not as it was written; `resume()` sets such a file aside."""


class LearningWarning(UserWarning):
    """Warned after a fit that has hardly learned, with the cure."""


class DivergenceError(LincolnError, ArithmeticError):
    """Raised when the loss or the weights are no longer finite; the network then holds the last finite weights."""
