"""Data, checked against model and loss, as batches for a run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor

from lincoln._util.tensors import inference
from lincoln._util.userdata import check_numbers
from lincoln.data import Batch, DataLoader, Dataset
from lincoln.data.rows import Rows, whole
from lincoln.errors import DataError
from lincoln.layers import Layer, evaluating
from lincoln.losses import Loss
from lincoln.losses.weights import refuse_unusable
from lincoln.training.config import TrainerConfig
from lincoln.training.forms import look
from lincoln.training.random import with_seed

_PART = 65536  # examples of targets on the disk that are checked at a time
Data = Dataset | Iterable[Batch]
Loader = Callable[[Dataset, int], Iterable[Batch]]


@dataclass(frozen=True)
class Prepared:
    """A run's batches, and the number of the network's outputs, or 0 if the training data are no Dataset."""

    train: Iterable[Batch]
    validation: Iterable[Batch] | None
    outputs: int


def prepare(
    model: Layer, loss: Loss, config: TrainerConfig, train: Data, validation: Data | None, loader: Loader | None
) -> Prepared:
    """Check the data against model and loss, and make the batches. The network is not touched.

    Raises DataError or MatchError for data that the model cannot be trained on.
    """
    outputs = 0
    if isinstance(train, Dataset):
        data, outputs = _checked(train, model, loss)
        make = loader or partial(DataLoader, shuffle=config.shuffle_minibatches, device=_other_device(model, data))
        train = make(data, config.train_minibatch_size)
    if isinstance(validation, Dataset):
        assert config.val_minibatch_size is not None
        data, _ = _checked(validation, model, loss, "validation ")
        validation = DataLoader(data, config.val_minibatch_size, device=_other_device(model, data))
    elif validation is not None:
        look("val_dataset", validation)
    return Prepared(train, validation, outputs)


def checked_as_a_whole(batches: Iterable[Batch], data: Data | None) -> TypeGuard[DataLoader]:
    """Return True if these batches are of a Dataset that `prepare` has checked, so that no batch need be checked."""
    return isinstance(data, Dataset) and isinstance(batches, DataLoader)


def build(model: Layer, train: Data) -> None:
    """Run the model on the first example, so that its parameters are made; only a Dataset is looked into."""
    if isinstance(train, Dataset):
        with evaluating(model):
            features = train.parts[0][:1]
            model(features.to(_other_device(model, train) or features.device))


def _checked(dataset: Dataset, model: Layer, loss: Loss, role: str = "") -> tuple[Dataset, int]:
    """Return the dataset with its targets in the loss's form, and the number of the network's outputs."""
    features, targets, *others = dataset.parts
    weights = [whole(part) for part in others]
    check_numbers(f"{role}features", features)
    check_numbers(f"{role}targets", targets)
    for weight in weights:
        check_numbers(f"{role}weights", weight)
        refuse_unusable(f"{role}weights", weight)
    built = all(layer.built for _, layer in model.named_layers() if layer.learns)
    probe = model if built else copy.deepcopy(model)  # bad data must not shape the network

    def first_output() -> Tensor:
        with inference(True), evaluating(probe):
            return probe.forward(features[:1].to(_other_device(model, dataset) or features.device))

    output = with_seed(None if built else 0, first_output)
    matched = _matched(loss, output, targets)
    known = matched[:1] if isinstance(matched, Rows) else matched  # targets on the disk are numbers, which no loss counts
    if (weights or loss.counted(known) is not None) and not loss.weight_of(features[:1], known, *weights):
        raise DataError(
            f"{role}data: all examples have weight 0, by their weights or their classes'; expected some above 0"
        )
    return Dataset(features, matched, *weights), output.shape[-1]


def _matched(loss: Loss, output: Tensor, targets: Tensor | Rows) -> Tensor | Rows:
    """Return checked targets in the loss's form; rows of several numbers on the disk are checked part by part and stay."""
    if isinstance(targets, Rows) and targets.is_floating_point() and targets[:1].numel() > 1:
        for start in range(0, len(targets), _PART):
            _matched(loss, output, targets[start : start + _PART])
        return targets
    values = whole(targets)
    matched = loss.match(output.expand(len(values), *output.shape[1:]), values)
    loss.check(matched, output.shape[-1])
    return matched


def _other_device(model: Layer, dataset: Dataset) -> torch.device | None:
    """Return the network's device if the data are on another."""
    device, _ = model.where
    return None if device is None or device == dataset.parts[0].device else device
