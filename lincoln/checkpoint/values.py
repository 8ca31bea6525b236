"""Python values as JSON and tensors, and the same values again: arguments of layers, and what callbacks remember.

Numbers, words, None and lists stand for themselves. Everything else is a table that says its kind: `{"list": [...]}` is a
tuple, `{"dict": {...}}` a dict, `{"numpy": "float32", "value": 0.5}` a numpy scalar. Tensors, arrays and long lists of
numbers lie beside the JSON as tensors: `{"tensor": "0"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln.checkpoint.header import DTYPES

DEEPEST = 100
"""The most levels of lists, dicts and layers in one another that a file may have."""
_LONG = 256  # numbers; a list of so many becomes a tensor
_LARGEST = 2**63
_NUMPY = (
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (*DTYPES.values(), torch.complex64, torch.complex128)}

Special = Callable[[Any, int], Any]
"""A function of a value and its depth, for kinds that only its user knows: its form, or NotImplemented for another kind."""


class Unwritable(TypeError):
    """Raised for a value that has no form in a file; `where` is its place within the value that was to be written."""

    def __init__(self, where: str, value: object) -> None:
        super().__init__(f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins."))
        self.where = where


class Packer:
    """Turns values into JSON. Their tensors are put into `tensors` by number; None refuses tensors and arrays."""

    def __init__(self, tensors: dict[str, Tensor] | None = None, special: Special = lambda value, depth: NotImplemented):
        self.tensors = tensors
        self.special = special

    def pack(self, value: Any, where: str = "", depth: int = 0) -> Any:
        """Return the value's form. Raises Unwritable for a value, or a part of it, that would not come back the same."""
        kind = type(value)
        if value is None or kind in (bool, float, str) or (kind is int and -_LARGEST <= value < 2 * _LARGEST):
            return value
        if depth >= DEEPEST:
            raise Unwritable(where, value)
        if kind is list:
            return self._long(value, where, depth) or self._each(value, where, depth)
        if kind is tuple:
            return {"list": self._each(value, where, depth)}
        if kind is dict:
            return self._dict(value, where, depth)
        form = self._array(value, kind)
        if form is None:
            form = self.special(value, depth)
        if form is NotImplemented:
            raise Unwritable(where, value)
        return form

    def _each(self, values: list[Any] | tuple[Any, ...], where: str, depth: int) -> list[Any]:
        return [self.pack(value, f"{where}[{index}]", depth + 1) for index, value in enumerate(values)]

    def _dict(self, value: dict[Any, Any], where: str, depth: int) -> Any:
        if all(type(key) is str for key in value):
            return {"dict": {key: self.pack(part, f"{where}[{key!r:.40}]", depth + 1) for key, part in value.items()}}
        pairs = [(self.pack(key, f"{where}, a key", depth + 1), key, part) for key, part in value.items()]
        return {"items": [[key, self.pack(part, f"{where}[{raw!r:.40}]", depth + 1)] for key, raw, part in pairs]}

    def _array(self, value: Any, kind: type) -> Any:
        """Return the form of what numpy and torch make; None for anything else."""
        if kind is np.str_:
            return str(value)
        if isinstance(value, np.generic) and value.dtype.name in _NUMPY:
            return {"numpy": value.dtype.name, "value": value.item()}
        if kind is torch.Size:
            return {"size": list(value)}
        if kind is torch.dtype and value in _DTYPES.values():
            return {"dtype": str(value).removeprefix("torch.")}
        if kind is torch.device:
            return {"device": str(value)}
        if kind is np.ndarray and value.dtype.name in _NUMPY:
            array = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
            return self._beside("array", torch.from_numpy(array))
        if kind in (Tensor, torch.nn.Parameter) and value.dtype in DTYPES.values() and value.layout == torch.strided:
            return None if value.is_meta else self._beside("tensor", value.detach())
        return None

    def _beside(self, kind: str, tensor: Tensor) -> Any:
        if self.tensors is None:
            return None
        name = str(len(self.tensors))
        self.tensors[name] = tensor
        return {kind: name}

    def _long(self, values: list[Any], where: str, depth: int) -> Any:
        """Return a long list of numbers, or of rows of equal length, as columns; None for any other list."""
        kinds = set(map(type, values))
        if self.tensors is None or len(values) < (2 if kinds == {Tensor} else _LONG):
            return None
        if kinds == {float}:
            return self._beside("numbers", torch.tensor(values, dtype=torch.float64))
        if kinds == {int} and all(-_LARGEST <= value < _LARGEST for value in values):
            return self._beside("numbers", torch.tensor(values, dtype=torch.int64))
        if kinds == {Tensor} and len({(row.dtype, row.shape, row.device) for row in values}) == 1:
            return None if values[0].dtype not in DTYPES.values() else self._stack(values)
        if kinds in ({tuple}, {list}) and len({len(row) for row in values}) == 1 and 0 < len(values[0]) < _LONG:
            columns = self._each([list(column) for column in zip(*values, strict=True)], where, depth)
            return {"rows": kinds.pop().__name__, "columns": columns}
        if kinds == {dict} and values[0] and all(map(list(values[0]).__eq__, map(list, values))):
            columns = self._each([[row[key] for row in values] for key in values[0]], where, depth)
            return {"records": self._each(list(values[0]), where, depth), "columns": columns}
        return None

    def _stack(self, rows: list[Tensor]) -> Any:
        if rows[0].layout != torch.strided or rows[0].is_meta:
            return None
        return self._beside("stack", torch.stack(rows).detach())


class Unpacker:
    """Turns the JSON of `Packer` into values again. Each tensor serves one value: `tensors` holds those not used yet."""

    def __init__(self, tensors: Mapping[str, Tensor], special: Callable[[dict[str, Any], int], Any]) -> None:
        self.tensors = dict(tensors)
        self.special = special

    def unpack(self, form: Any, depth: int = 0) -> Any:
        """Return the value. Raises KeyError, TypeError or ValueError for what `Packer` does not write."""
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels deep")
        if isinstance(form, list):
            return [self.unpack(part, depth + 1) for part in form]
        if not isinstance(form, dict):
            return form
        kind = next((key for key in form if key in _KEYS), "")
        if form.keys() != _KEYS.get(kind):
            return self.special(form, depth)
        value: Any = getattr(self, f"_from_{kind}")(form, depth)
        return value

    def _from_list(self, form: dict[str, Any], depth: int) -> tuple[Any, ...]:
        return tuple(self.unpack(_typed(form["list"], list), depth))

    def _from_dict(self, form: dict[str, Any], depth: int) -> dict[str, Any]:
        return {key: self.unpack(part, depth + 1) for key, part in _typed(form["dict"], dict).items()}

    def _from_items(self, form: dict[str, Any], depth: int) -> dict[Any, Any]:
        return {self.unpack(key, depth + 1): self.unpack(part, depth + 1) for key, part in _typed(form["items"], list)}

    def _from_numpy(self, form: dict[str, Any], depth: int) -> Any:
        kind, value = form["numpy"], form["value"]
        if kind not in _NUMPY or type(value) not in (bool, int, float):
            raise ValueError(f"no numpy scalar: {kind!r:.20}, {value!r:.40}")
        return np.dtype(kind).type(value)

    def _from_size(self, form: dict[str, Any], depth: int) -> torch.Size:
        return torch.Size(_typed(form["size"], list))

    def _from_dtype(self, form: dict[str, Any], depth: int) -> torch.dtype:
        return _DTYPES[form["dtype"]]

    def _from_device(self, form: dict[str, Any], depth: int) -> torch.device:
        return torch.device(_typed(form["device"], str))

    def _from_tensor(self, form: dict[str, Any], depth: int) -> Tensor:
        return self.tensors.pop(form["tensor"])

    def _from_array(self, form: dict[str, Any], depth: int) -> Any:
        return self.tensors.pop(form["array"]).numpy()

    def _from_numbers(self, form: dict[str, Any], depth: int) -> list[Any]:
        numbers: list[Any] = _typed(self.tensors.pop(form["numbers"]).tolist(), list)
        return numbers

    def _from_stack(self, form: dict[str, Any], depth: int) -> list[Tensor]:
        return [row.clone() for row in self.tensors.pop(form["stack"])]

    def _from_rows(self, form: dict[str, Any], depth: int) -> list[Any]:
        kind = {"tuple": tuple, "list": list}[form["rows"]]
        return [kind(row) for row in self._columns(form, depth)]

    def _from_records(self, form: dict[str, Any], depth: int) -> list[Any]:
        keys = self.unpack(_typed(form["records"], list), depth)
        return [dict(zip(keys, row, strict=True)) for row in self._columns(form, depth)]

    def _columns(self, form: dict[str, Any], depth: int) -> Any:
        return zip(*self.unpack(_typed(form["columns"], list), depth), strict=True)


_KEYS = {name.removeprefix("_from_"): {name.removeprefix("_from_")} for name in vars(Unpacker) if name.startswith("_from_")}
"""The keys of each kind of table."""
_KEYS["numpy"].add("value")
_KEYS["rows"].add("columns")
_KEYS["records"].add("columns")


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected a {kind.__name__}, got {value!r:.40}")
    return value
