"""What a network is made of: layers, shapes, parameters, memory, and the formula of each backward pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Size, Tensor

from lincoln._util.text import bytes_text, rendered
from lincoln.errors import ArgumentError
from lincoln.layers import Layer, Sequential
from lincoln.training.random import seeded

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class LayerSummary:
    """One layer. `saved_bytes` is what it alone keeps for backward: memory that an earlier layer, or a parameter,
    holds already is not counted again."""

    path: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    saved_bytes: int
    backward: str


@dataclass(frozen=True)
class Summary:
    """A network, layer by layer; prints as a table."""

    network: str
    input_shape: tuple[int, ...]
    dtype: str
    layers: list[LayerSummary]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def saved_bytes(self) -> int:
        """Memory kept between forward and backward."""
        return sum(layer.saved_bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"parameters": self.parameters, "saved_bytes": self.saved_bytes}

    def __rich__(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.markup import escape
        from rich.table import Table

        title = f"{self.network}, input {self.input_shape} {self.dtype}"
        table = Table(title=title, show_footer=True, box=SIMPLE_HEAD, caption="saved: memory kept for backward")
        table.add_column("path", "total", no_wrap=True)
        table.add_column("layer")
        table.add_column("output", no_wrap=True)
        table.add_column("params", f"{self.parameters:,}", justify="right", no_wrap=True)
        table.add_column("saved", bytes_text(self.saved_bytes), justify="right", no_wrap=True)
        table.add_column("backward")
        for row in self.layers:
            saved = bytes_text(row.saved_bytes)
            layer, formula = escape(row.layer), escape(row.backward)
            table.add_row(row.path, layer, str(row.output_shape), f"{row.parameters:,}", saved, formula)
        return table

    def __str__(self) -> str:
        return rendered(self)

    __repr__ = __str__


def summary(network: Layer, input_shape: Sequence[int]) -> Summary:
    """What `network` makes of an input of `input_shape`, the number of examples first: `summary(network, (128, 30))`.

    Everything happens on a copy, with an input of zeros: a network not built yet stays so.
    """
    if not isinstance(network, Layer):
        raise ArgumentError(f"summary: {network!r} is not a Layer")
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
        raise ArgumentError(f"summary: input_shape is {input_shape!r}; expected sizes, the examples first: (128, 30)")
    with seeded(0), torch.inference_mode(False):
        subject = copy.deepcopy(network).train()
        device, dtype = subject.where
        dtype = dtype or torch.get_default_dtype()
        outputs: list[tuple[Layer, Size]] = []
        for _, layer in subject.named_layers():
            if not isinstance(layer, Sequential):
                layer.observe(lambda layer, _, output: outputs.append((layer, output.shape)))
        input = torch.zeros(shape, device=device, dtype=dtype)
        subject(input)
        rows = list(_rows(outputs, input))
    return Summary(type(network).__name__, shape, str(dtype).removeprefix("torch."), rows)


def _rows(outputs: list[tuple[Layer, Size]], input: Tensor) -> Iterator[LayerSummary]:
    counted = {input.untyped_storage().data_ptr()}
    for layer, _ in outputs:
        counted |= {tensor.untyped_storage().data_ptr() for tensor, _ in layer.own.values()}
    for layer, shape in outputs:
        saved = 0
        for tensor in _tensors(layer.saved):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in counted:
                counted.add(storage.data_ptr())
                saved += storage.nbytes()
        parameters = sum(tensor.numel() for tensor, _ in layer.own.values())
        yield LayerSummary(layer.path, repr(layer), tuple(shape), parameters, saved, layer.backward_formula)


def _tensors(saved: Any) -> Iterator[Tensor]:
    if isinstance(saved, Tensor):
        yield saved
    elif isinstance(saved, dict):
        yield from _tensors(list(saved.values()))
    elif isinstance(saved, list | tuple):
        for part in saved:
            yield from _tensors(part)
