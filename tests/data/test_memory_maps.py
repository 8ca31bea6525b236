"""Splits of memory maps: indices whose rows are read batch by batch, with the results of splits in memory."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.data import DataLoader, Dataset, random_split, train_test_split
from lincoln.data.rows import Rows
from lincoln.errors import DataError

N = 600


@pytest.fixture
def mapped(tmp_path):
    """Features, targets and weights on the disk."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 4)).astype(np.float32)
    maps = []
    for name, array in {"x": x, "y": (x[:, 0] > 0).astype(np.float32), "w": rng.uniform(size=N).astype(np.float32)}.items():
        file = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
        file[:] = array
        file.flush()
        maps.append(np.memmap(tmp_path / name, array.dtype, "r", shape=array.shape))
    return maps


def generator():
    return torch.Generator().manual_seed(3)


def in_memory(maps):
    return Dataset(*(torch.tensor(np.array(one)) for one in maps))


def test_splits_hold_no_copy(mapped):
    for train, test in (train_test_split(Dataset(*mapped), 0.25, generator()), random_split(Dataset(*mapped), [450, 150])):
        assert (len(train), len(test)) == (450, 150)
        for part in (*train.parts, *test.parts):
            assert isinstance(part, Rows)
            assert part.source.data_ptr() in [one.__array_interface__["data"][0] for one in mapped]


@pytest.mark.parametrize("view", [lambda one: one, lambda one: one[10:], lambda one: np.asarray(one), lambda one: one[::2]])
def test_splits_of_views_hold_no_copy(mapped, view):
    data = Dataset(view(mapped[0]))
    for part in random_split(data, [0.5, 0.5]):
        assert isinstance(part.parts[0], Rows)
    assert isinstance(data.parts[0], torch.Tensor)


def test_what_torch_has_mapped_is_not_copied(tmp_path):
    np.arange(40, dtype=np.float32).tofile(tmp_path / "x")
    tensor = torch.from_file(str(tmp_path / "x"), shared=True, size=40).reshape(20, 2)
    assert isinstance(random_split(Dataset(tensor), [15, 5])[0].parts[0], Rows)


def test_only_what_is_mapped_stays_there(mapped):
    train, _ = train_test_split(Dataset(mapped[0], torch.arange(N)), generator=generator())
    assert [type(part) for part in train.parts] == [Rows, torch.Tensor]


def test_the_parts_of_a_split(mapped):
    mine, plain = (random_split(data, [400, 200], generator()) for data in (Dataset(*mapped), in_memory(mapped)))
    for one, other in zip(mine, plain, strict=True):
        assert repr(one) == repr(other)
        assert one.nbytes == other.nbytes
        mask = other.tensors[1] > 0
        for window in (3, -1, slice(2, 9), slice(None, None, 3), torch.tensor([5, 0, 5]), [1, 2], mask[: len(one)]):
            for a, b in zip(one[window], other[window], strict=True):
                assert torch.equal(a, b)
        for a, b in zip(one.tensors, other.tensors, strict=True):
            assert torch.equal(a, b)
    again, plain_again = (random_split(data[0], [0.5, 0.5], generator()) for data in (mine, plain))
    assert isinstance(again[0].parts[0], Rows)
    assert torch.equal(again[1].tensors[0], plain_again[1].tensors[0])


@pytest.mark.parametrize("budget", [None, 0])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_of_a_split(mapped, budget, shuffle, drop_last):
    loaders = []
    for data in (Dataset(*mapped), in_memory(mapped)):
        train, _ = train_test_split(data, generator=generator())
        loaders.append(DataLoader(train, 32, shuffle, generator(), drop_last, copy_budget=budget))
    for _ in range(2):
        for mine, plain in zip(*loaders, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, plain, strict=True))


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("budget", ["small", "large"])
def test_training_on_splits(mapped, parts, budget, monkeypatch):
    if budget == "small":
        monkeypatch.setattr("lincoln.data.loader._CPU_BUDGET", 0)
    results = []
    for data in (Dataset(*mapped[:parts]), in_memory(mapped[:parts])):
        train, test = train_test_split(data, generator=generator())
        network = lnc.Sequential(lnc.Dense(5), lnc.Dense(1))
        config = lnc.TrainerConfig(3, seed=0, progress=None, measure_training=True)
        history = lnc.Trainer(network, config, lnc.LogLoss, lnc.SGD, train, test, metric=lnc.metrics.accuracy).train()
        results.append(
            (history.losses, history.val_losses, history.val_metrics, history.metrics, network.flatten()[0].tolist())
        )
    assert results[0] == results[1]


def test_targets_of_several_numbers_stay_on_the_disk(mapped, monkeypatch):
    monkeypatch.setattr("lincoln.data.loader._CPU_BUDGET", 0)
    monkeypatch.setattr("lincoln.training.prepare._PART", 100)
    x = mapped[0]
    losses = []
    for data in (Dataset(x, x), Dataset(torch.tensor(np.array(x)), torch.tensor(np.array(x)))):
        train, test = train_test_split(data, generator=generator())
        trainer = lnc.Trainer(
            lnc.Sequential(lnc.Linear(4)), lnc.TrainerConfig(2, seed=0, progress=None), lnc.MSE, lnc.SGD, train, test
        )
        losses.append(trainer.train().losses)
        assert isinstance(trainer.train_batches.dataset.parts[1], (Rows, torch.Tensor)[len(losses) - 1])
    assert losses[0] == losses[1]


def test_what_is_wrong_in_a_split_is_found(mapped, tmp_path):
    file = np.memmap(tmp_path / "x", np.float32, "r+", shape=(N, 4))
    file[:, 2] = np.nan
    train, _ = train_test_split(Dataset(*mapped[:2]), generator=generator())
    with pytest.raises(DataError, match=r"features: NaN or infinite values, the first \(nan\) at \(0, 2\)"):
        lnc.Trainer(lnc.Dense(1), lnc.TrainerConfig(1, progress=None), lnc.LogLoss, lnc.SGD, train).train()


def test_torchs_loader_reads_a_split(mapped):
    train, _ = train_test_split(Dataset(*mapped[:2]), generator=generator())
    x, _ = next(iter(torch.utils.data.DataLoader(train, 16)))
    assert torch.equal(x, train.tensors[0][:16])


def test_a_device_that_is_not_here(mapped):
    for device in ("gpu", "mps:7", 3.5, "cuda" if not torch.cuda.is_available() else "cuda:99"):
        with pytest.raises(lnc.errors.ArgumentError, match="which cannot be used here") as refusal:
            DataLoader(Dataset(*mapped), 8, device=device)
        assert len(str(refusal.value)) <= 500
