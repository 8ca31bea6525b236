"""Fitted models in checkpoint files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self, cast

import numpy as np
import torch
from torch import Tensor

from lincoln import checkpoint
from lincoln._util.frames import Names
from lincoln.checkpoint.network import Groups
from lincoln.checkpoint.values import Packer, Unpacker, Unwritable
from lincoln.errors import ArgumentError, CheckpointError, MatchError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.models.encoding import Encoding
from lincoln.models.encoding.plain import encoding_from, plain_encoding
from lincoln.models.references import Given, by_name, reference, resolve
from lincoln.optim import Optimizer
from lincoln.training.metrics import MetricArgument
from lincoln.training.saved import refuse_other_dtypes

_KEYS = {"class", "labels", "loss", "optimizer", "metric", "batch_gen", "threshold", "columns"}


class Saved:
    """`save` and `load` of models: the network, its classes, loss, optimizer and metrics in one file, without pickle."""

    network: Layer
    loss: Loss
    optimizer: Optimizer
    metric: MetricArgument | None
    batch_gen: Callable[..., Any]
    threshold: Any
    _encoding: Encoding | None
    _columns: Names | None

    def save(self, path: str | Path) -> Path:
        """Save the fitted model to one file, for `load`. Return the file's path.

        The file holds the network, the classes, columns' names and threshold, loss and optimizer with their settings, the
        optimizer's memory, and the names of metrics; `lincoln.load(path)` returns the network alone. A file that stood at
        `path` stays until the new one is complete on the disk. Raises StateError before `fit`, and CheckpointError, with
        the part and its argument, for what a file cannot hold.
        """
        path = checkpoint.checked_path("save", path)
        if self._encoding is None:
            raise StateError(f"{type(self).__name__} is not fitted yet: call fit(features, labels) before save(path)")
        groups, network = checkpoint.sound_portrait(self.network)
        memory: dict[str, Tensor] = {}
        try:
            model = self._plain(Packer(memory))
        except CheckpointError as error:
            raise CheckpointError(f"{type(self).__name__}: {error}") from error
        vectors = {name: vector.detach().clone() for name, vector in self.optimizer.vectors().items()}
        groups |= {"model": memory, "optimizer": vectors}
        return checkpoint.write(path, checkpoint.flat(groups), {"network": network, "model": model})

    @classmethod
    def load(
        cls,
        path: str | Path,
        layers: Iterable[type[Layer]] = (),
        given: Iterable[Callable[..., Any]] = (),
        device: str | torch.device | None = None,
    ) -> Self:
        """Return the model in a file of `save`, on the CPU or, if it is not None, on `device`.

        `layers` are your own layer classes that the network has; `given` are your own loss, optimizer, metrics and
        `batch_gen`, which the file only names. Nothing else is called, whatever the file says. Raises CheckpointError for a
        file that is damaged, of another kind, or not as `save` writes it.
        """
        path, known = checkpoint.checked_path("load", path), by_name(given)
        network, groups, state = checkpoint.load_parts(path, layers)
        try:
            model, encoding, columns, threshold = _Reader(network, groups, state, known).made(cls, device)
        except ArgumentError as error:
            if device is not None and "device" in str(error):
                raise
            raise CheckpointError(f"{path}: {error!s:.300}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error!s:.300}") from error
        except Exception as error:  # whatever a stranger's file comes to
            what = f"{type(error).__name__}: {error!s:.200}"
            raise CheckpointError(f"{path}: what it says of the model is damaged ({what})") from error
        if model.device is not None:
            model.network.to(model.device)
        model._encoding, model._columns, model.threshold = encoding, columns, threshold
        return cast(Self, model)

    def _plain(self, packer: Packer) -> dict[str, Any]:
        """Return all but the network as JSON holds it. Raises CheckpointError for what has no form in a file."""
        assert self._encoding is not None
        return {
            "class": type(self).__name__,
            "labels": packer.pack(plain_encoding(self._encoding)),
            "loss": _plain_part("loss", self.loss, packer),
            "optimizer": _plain_part("optimizer", self.optimizer, packer) | {"steps": self.optimizer.steps},
            "metric": _plain_metric(self.metric),
            "batch_gen": reference("batch_gen", self.batch_gen),
            "threshold": _packed(packer, "threshold", self.threshold),
            "columns": packer.pack(self._columns),
        }


class _Reader:
    """A model's parts, from a file whose network has been made."""

    def __init__(self, network: Layer, groups: Groups, state: Mapping[str, Any], given: Given) -> None:
        self.network = network
        self.groups = groups
        self.state = state
        self.given = given
        self.unpacker = Unpacker(groups.get("model", {}), _no_other)

    def made(self, cls: type[Any], device: str | torch.device | None) -> tuple[Any, Encoding, Names | None, Any]:
        """Return the model, and what a fit would have given it: encoding, columns' names and threshold."""
        if "model" not in self.state:
            raise CheckpointError("holds a network without a model: load it with lincoln.load(path)")
        saved = self.state["model"]
        if saved["class"] != cls.__name__:
            raise CheckpointError(f"holds a {saved['class']!s:.40}: load it with {saved['class']!s:.40}.load(path)")
        if saved.keys() != _KEYS:
            raise KeyError(f"{sorted(saved)!s:.200}; expected {sorted(_KEYS)}")
        encoding = encoding_from(self.unpacker.unpack(saved["labels"]))
        _refuse_other_outputs(encoding, self.network)
        columns = self.unpacker.unpack(saved["columns"])
        if columns is not None and not (isinstance(columns, tuple) and all(type(name) is str for name in columns)):
            raise ValueError("its columns' names are no strings")
        model = cls(
            self.network,
            self._part("loss"),
            self._optimizer(),
            self._metric(saved["metric"]),
            resolve("batch_gen", saved["batch_gen"], self.given),
            device,
        )
        return model, encoding, columns, _threshold(self.unpacker.unpack(saved["threshold"]))

    def _part(self, kind: str) -> Any:
        """Return the loss or the optimizer."""
        form = self.state["model"][kind]
        settings = {name: self.unpacker.unpack(value) for name, value in form["settings"].items()}
        return resolve(kind, form["class"], self.given)(self.network, **settings)

    def _optimizer(self) -> Optimizer:
        optimizer: Optimizer = self._part("optimizer")
        steps = self.state["model"]["optimizer"]["steps"]
        if type(steps) is not int or steps < 0:
            raise ValueError(f"the optimizer has made {steps!r:.40} steps")
        try:
            refuse_other_dtypes(self.groups, self.state["network"])
            optimizer.load_state_dict({"steps": steps, "lr": optimizer.lr} | dict(self.groups.get("optimizer", {})))
        except MatchError as error:
            raise CheckpointError(str(error)) from error
        return optimizer

    def _metric(self, form: Any) -> MetricArgument | None:
        if form is None:
            return None
        if isinstance(form, list):
            return [resolve("metric", one, self.given) for one in form]
        if form.keys() == {"by_name"}:
            return {name: resolve("metric", one, self.given) for name, one in form["by_name"].items()}
        metric: Metric = resolve("metric", form, self.given)
        return metric


def _plain_part(kind: str, part: Loss | Optimizer, packer: Packer) -> dict[str, Any]:
    """Return a loss or an optimizer as its class and the arguments of its constructor."""
    settings = {}
    for name, parameter in list(inspect.signature(type(part)).parameters.items())[1:]:  # the first is the network
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not hasattr(part, name):
            raise CheckpointError(
                f"cannot be saved, because the argument {name} of its {kind} {type(part).__name__} is not kept: write "
                f"self.{name} = {name} in __init__"
            )
        settings[name] = _packed(packer, f"argument {name} of its {kind} {type(part).__name__}", getattr(part, name))
    return {"class": reference(kind, type(part)), "settings": settings}


def _plain_metric(metric: MetricArgument | None) -> Any:
    if metric is None:
        return None
    if isinstance(metric, Mapping):
        return {"by_name": {str(name): reference("metric", one) for name, one in metric.items()}}
    if isinstance(metric, list | tuple):
        return [reference("metric", one) for one in metric]
    return reference("metric", metric)


def _packed(packer: Packer, what: str, value: Any) -> Any:
    try:
        return packer.pack(value)
    except Unwritable as error:
        raise CheckpointError(
            f"cannot be saved, because the {what}{error.where:.80} is {value!r:.120}; expected numbers, words, None, "
            f"tensors, arrays, and lists, tuples or dicts of them"
        ) from error


def _threshold(value: Any) -> Any:
    if not isinstance(value, int | float | np.number | np.ndarray | Tensor):
        raise TypeError(f"its threshold is {value!r:.40}")
    return value


def _refuse_other_outputs(encoding: Encoding, network: Layer) -> None:
    """Raise ValueError if there is not one output for each class of several, as far as the network tells its outputs."""
    weights = [getattr(leaf, "W", None) for leaf in network.leaves()]
    widths = [weight.shape[-1] for weight in weights if isinstance(weight, Tensor) and weight.dim()]
    classes = getattr(encoding, "classes", None)
    if encoding.exclusive and widths and classes is not None and len(classes) != widths[-1]:
        raise ValueError(f"{len(classes)} classes, and the network has {widths[-1]} outputs")


def _no_other(form: dict[str, Any], depth: int) -> NoReturn:
    raise ValueError(f"{form!r:.80} is not as save writes it")
