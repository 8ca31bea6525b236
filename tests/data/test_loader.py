"""The loader: order, memory, devices, and an epoch that is continued."""

from itertools import islice

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.data import DataLoader, Dataset
from lincoln.errors import ArgumentError, MatchError


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(10, 4, [4, 4, 2]), (4, 4, [4]), (3, 10, [3]), (4096, 100, [100] * 40 + [96])]
)
def test_loader_batches(n, size, sizes):
    loader = DataLoader(Dataset(torch.arange(n)), size)
    assert [len(batch[0]) for batch in loader] == sizes
    assert len(loader) == len(sizes)
    assert torch.equal(torch.cat([batch[0] for batch in loader]), torch.arange(n))


def test_loader_draws_a_new_order_each_epoch_repeatably(device):
    x = torch.arange(100, device=device)
    data = Dataset(x, x * 2)

    def epochs():
        loader = DataLoader(data, 30, shuffle=True, generator=torch.Generator().manual_seed(1))
        return [[torch.cat(parts) for parts in zip(*loader, strict=True)] for _ in range(2)]

    (x1, y1), (x2, _) = epochs()
    assert torch.equal(x1 * 2, y1)
    assert not torch.equal(x1, x2)
    assert not torch.equal(x1, x)
    assert torch.equal(x1.sort().values, x)
    again = epochs()
    assert torch.equal(again[0][0], x1)
    assert torch.equal(again[1][0], x2)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, None])
def test_batch_size_below_one(size):
    with pytest.raises(ArgumentError, match=r"batch_size is .*; expected an integer of at least 1"):
        DataLoader(Dataset(torch.zeros(3)), size)


def batches_of(loader):
    return [[tensor.tolist() for tensor in batch] for batch in loader]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_data_over_the_budget_give_the_same_batches(shuffle, drop_last):
    data = Dataset(torch.arange(25).reshape(25, 1), torch.arange(25))
    ways = []
    for budget in (2**30, 0):
        loader = DataLoader(data, 4, shuffle, torch.Generator().manual_seed(3), drop_last, copy_budget=budget)
        ways.append([batches_of(loader) for _ in range(2)])
        assert len(loader) == len(ways[-1][0]) == (6 if drop_last else 7)
    assert ways[0] == ways[1]


def test_batches_within_the_budget_are_views():
    data = Dataset(torch.randn(10, 2))
    first, second, _ = DataLoader(data, 4)
    assert first[0].untyped_storage().data_ptr() == data.tensors[0].untyped_storage().data_ptr()
    first, second, _ = DataLoader(data, 4, shuffle=True)
    assert first[0].untyped_storage().data_ptr() == second[0].untyped_storage().data_ptr()


def test_drop_last_of_less_than_a_batch():
    assert list(DataLoader(Dataset(torch.arange(3)), 4, drop_last=True)) == []


def test_batches_on_a_device(device):
    for budget in (2**30, 0):
        loader = DataLoader(Dataset(torch.arange(5.0)), 2, shuffle=True, device=device, copy_budget=budget)
        assert {batch[0].device.type for batch in loader} == {device}


@pytest.mark.parametrize("generator", [True, False])
@pytest.mark.parametrize("budget", [2**30, 0])
def test_a_loader_continues_in_the_middle_of_an_epoch(generator, budget):
    def make():
        own = torch.Generator().manual_seed(3) if generator else None
        return DataLoader(Dataset(torch.arange(25)), 4, shuffle=True, generator=own, copy_budget=budget)

    for stop in range(8):
        torch.manual_seed(1)
        loader = make()
        list(loader)
        running = iter(loader)
        seen = [batch[0].tolist() for batch in islice(running, stop)]
        if stop == 0:
            continue
        state = loader.state_dict()
        assert state["position"] == stop
        rest = [batch[0].tolist() for batch in running]
        torch.manual_seed(77)
        other = make()
        other.load_state_dict(state)
        numbers = torch.get_rng_state()
        assert [batch[0].tolist() for batch in other] == rest
        if not generator:
            assert torch.equal(torch.get_rng_state(), numbers), "torch's own numbers are left to whoever resumes"
        assert sorted(number for batch in seen + rest for number in batch) == list(range(25))
    with pytest.raises(MatchError, match="the state is at batch 9, this loader has 7"):
        make().load_state_dict({"position": 9, "start": None})


def test_memmaps_larger_than_the_budget(tmp_path):
    """A file is read batch by batch: never the whole of it."""
    path = tmp_path / "x.npy"
    made = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(1000, 8))
    made[:] = np.arange(8000).reshape(1000, 8)
    made.flush()
    x = np.load(path, mmap_mode="r")
    y = torch.arange(1000) % 2
    data = Dataset(x, y)
    assert data.tensors[0].untyped_storage().data_ptr() == x.ctypes.data, "mapped, not copied"
    loader = DataLoader(data, 64, shuffle=True, copy_budget=1000, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([batch[0][:, 0] for batch in loader])
    assert not torch.equal(rows, torch.arange(0, 8000, 8.0))
    assert torch.equal(rows.sort().values, torch.arange(0, 8000, 8.0))
    config = lnc.TrainerConfig(num_epochs=1, train_minibatch_size=64, progress=None)
    small = lambda dataset, size: DataLoader(dataset, size, shuffle=True, copy_budget=1000)  # noqa: E731
    network = lnc.Dense(1)
    history = lnc.Trainer(network, config, lnc.LogLoss, lnc.SGD, data, loader=small).train()
    assert history.steps == 16
