"""Summary of a network: layers, shapes, parameters, memory, and the formula of each backward pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Size, Tensor

from lincoln._util.tensors import inference
from lincoln._util.text import bytes_text, rendered, short
from lincoln.errors import ArgumentError
from lincoln.layers import Layer
from lincoln.training.random import seeded

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network.

    `saved_bytes` is the memory that this layer alone keeps for its backward; memory of a parameter, or that an earlier
    layer keeps too, is not counted again.
    """

    path: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    saved_bytes: int
    backward: str


@dataclass(frozen=True)
class Summary:
    """A network, layer by layer, for an input of `input_shape`; prints as a table."""

    network: str
    input_shape: tuple[int, ...]
    dtype: str
    layers: list[LayerSummary]

    @property
    def parameters(self) -> int:
        """Number of parameters, each entry of a tensor counted."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def saved_bytes(self) -> int:
        """Memory kept between forward and backward, in bytes."""
        return sum(layer.saved_bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, the totals included."""
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
    """Return the layers, shapes, parameters and memory of `network` for an input of `input_shape`, such as (128, 30).

    The first size is the number of examples. A copy of the network runs on zeros, so a network that has seen no input stays
    unbuilt. Raises ArgumentError for anything but a Layer and a shape, and the layer's own error if the shape does not fit.
    """
    if not isinstance(network, Layer):
        raise ArgumentError(f"summary: {short(network)} is not a Layer")
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
        raise ArgumentError(f"summary: input_shape is {short(input_shape)}; expected sizes, the examples first: (128, 30)")
    with seeded(0), inference(False):
        subject = copy.deepcopy(network).train()
        device, dtype = subject.where
        input = torch.zeros(shape, device=device, dtype=dtype or torch.get_default_dtype())
        outputs = _outputs(subject, input)
        rows = list(_rows(outputs, input))
    return Summary(type(network).__name__, shape, str(input.dtype).removeprefix("torch."), rows)


def _outputs(network: Layer, input: Tensor) -> list[tuple[Layer, Size]]:
    """Run the network, and return the layers that compute, in the order they end, with the shapes of their outputs."""
    outputs: list[tuple[Layer, Size]] = []
    for _, layer in network.named_layers():
        if next(layer.leaves()) is layer:
            layer.observe(lambda layer, _, output: outputs.append((layer, output.shape)))
    network(input)
    return outputs


def _rows(outputs: list[tuple[Layer, Size]], input: Tensor) -> Iterator[LayerSummary]:
    """Yield a row for each layer. Memory of the input and of all parameters is not counted as saved."""
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
    """Yield the tensors in what a layer has saved."""
    if isinstance(saved, Tensor):
        yield saved
    elif isinstance(saved, dict):
        yield from _tensors(list(saved.values()))
    elif isinstance(saved, list | tuple):
        for part in saved:
            yield from _tensors(part)
