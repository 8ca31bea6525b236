"""Devices by name, tensors in words, and torch's inference mode."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch._C import _InferenceMode

from lincoln._util.text import short
from lincoln.errors import ArgumentError

inference = _InferenceMode
"""`with inference(True):`, torch's own guard. An interrupt can cut off the `__exit__` of `torch.inference_mode`, which is
Python, and then the mode stays as long as the error's traceback lives; this one is C++."""


def usable(device: torch.device | str) -> torch.device:
    """Return the device as torch names it. Raises ArgumentError if this machine does not have it."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].split(". This could be because")[0]  # a list of all that torch has follows
        raise ArgumentError(f"device is {short(str(device))}, which cannot be used here: {reason[:300]}") from error


def chosen_device(given: str | torch.device | None) -> torch.device:
    """Return the device of that name; "auto" is a GPU if there is one, else the CPU; None is the CPU.

    Raises ArgumentError for a device that this machine does not have.
    """
    if given != "auto":
        return usable(given or "cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def described(tensor: Tensor) -> str:
    """Return shape and dtype for an error message."""
    return f"{tuple(tensor.shape)} {tensor.dtype}"


def differences(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Return in words where the names, shapes and dtypes of two sets of tensors differ."""
    wrong = [f"{name} is missing" for name in expected if name not in found]
    wrong += [f"{name} is unknown" for name in found if name not in expected]
    return wrong + [
        f"{name} is {described(found[name])}, expected {described(tensor)}"
        for name, tensor in expected.items()
        if name in found and (found[name].shape, found[name].dtype) != (tensor.shape, tensor.dtype)
    ]
