"""The header of a safetensors file: what lies where, checked against the file's size before anything is read by it.

A file is 8 bytes with the header's length, the header as JSON, and the tensors' bytes one after another. The header maps
each tensor's name to its dtype, shape and place, and `__metadata__` to words. Format: github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

LONGEST = 100_000_000
"""Bytes of the longest header, as safetensors has it."""
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "F32": torch.float32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F64": torch.float64,
}
"""The dtypes that a checkpoint may hold, by the names that the header has for them."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_MOST_DIMENSIONS = 64
_PIECE = 2**20  # bytes


class Entry(NamedTuple):
    """Where a tensor lies, in bytes after the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


class Header(NamedTuple):
    """What the header says: its own bytes, the length included; the metadata; and the tensors in the order they lie."""

    content: bytes
    metadata: dict[str, str]
    entries: dict[str, Entry]


def read_header(file: BinaryIO, size: int) -> Header:
    """Return the header at the start of a file of `size` bytes. Raises ValueError if it is not one of such a file."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if not 0 < length <= min(LONGEST, size - 8):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    content = file.read(length)
    if len(content) < length:
        raise ValueError("its header is cut off")
    try:
        header = json.loads(content.decode(), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("its header is nested too deep") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise ValueError("its metadata are no words")
    return Header(start + content, metadata, _laid_out(header, size - 8 - length))


def read_tensors(file: BinaryIO, header: Header) -> dict[str, Tensor]:
    """Return the tensors of a file that stands at the end of its header. Raises ValueError if the file ends too soon."""
    return {name: _tensor(file, name, entry) for name, entry in header.entries.items()}


def content_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytearray:
    """Return the bytes of a file. Raises TypeError for a tensor, and ValueError for a name, that has no form in it."""
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))  # so that each is aligned
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    place = 0
    for name, tensor in ordered:
        if not _is_text(name):
            raise ValueError(f"the name {name!r:.80} is no text")
        if tensor.dtype not in _NAMES or tensor.layout != torch.strided or tensor.is_meta:
            raise TypeError(f"{name!r:.80} is {tensor.dtype} {tensor.layout} on {tensor.device}")
        end = place + tensor.numel() * tensor.dtype.itemsize
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST:
        raise ValueError(f"its header would have {len(text):,} bytes; at most {LONGEST:,}: keep numbers in tensors")
    content = bytearray(len(text).to_bytes(8, "little") + text)
    for _, tensor in ordered:
        content += tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return content


def _is_text(name: str) -> bool:
    """Return False for a lone surrogate, which has no bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("its header has a name twice")
    return table


def _laid_out(header: dict[str, Any], size: int) -> dict[str, Entry]:
    """Return the entries in their order. Raises ValueError unless they fill `size` bytes without gap or overlap."""
    entries = {name: _entry(name, raw) for name, raw in header.items()}
    entries = dict(sorted(entries.items(), key=lambda item: item[1][2:]))
    place = 0
    for name, entry in entries.items():
        if entry.start != place:
            raise ValueError(f"{name!r:.80} does not begin where the tensor before it ends")
        place = entry.end
    if place != size:
        raise ValueError(f"its tensors have {place} bytes, and {size} follow the header")
    return entries


def _entry(name: str, raw: Any) -> Entry:
    if not (isinstance(raw, dict) and raw.keys() == {"dtype", "shape", "data_offsets"}):
        raise ValueError(f"{name!r:.80} is not described as a tensor")
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if not (isinstance(dtype, str) and dtype in DTYPES):
        raise ValueError(f"{name!r:.80} has dtype {dtype!r:.40}")
    if not (_whole(shape) and len(shape) <= _MOST_DIMENSIONS and _whole(offsets) and len(offsets) == 2):
        raise ValueError(f"{name!r:.80} has no shape or no place")
    entry = Entry(DTYPES[dtype], tuple(shape), *offsets)
    if math.prod(shape) * entry.dtype.itemsize != entry.end - entry.start:
        raise ValueError(f"{name!r:.80} has another size than its shape {entry.shape}")
    return entry


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 2**62 for number in numbers)


def _tensor(file: BinaryIO, name: str, entry: Entry) -> Tensor:
    flat = torch.empty(entry.end - entry.start, dtype=torch.uint8)
    read = file.readinto(flat.numpy()) if len(flat) else 0  # type: ignore[attr-defined]  # every file has it
    if read != len(flat):
        raise ValueError(f"{name!r:.80} is cut off")
    if entry.dtype == torch.bool:
        return (flat != 0).reshape(entry.shape)  # any other byte would be no bool
    return flat.view(entry.dtype).reshape(entry.shape)


def blocks(file: BinaryIO, most: int | None = None) -> Iterator[bytes]:
    """Yield what is left of a file, or at most so many bytes of it, piece by piece."""
    left = math.inf if most is None else most
    while block := file.read(int(min(_PIECE, left))):
        left -= len(block)
        yield block
