"""Batches, standardizing, and what data are refused."""

from itertools import islice

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.data import DataLoader, Dataset
from lincoln.errors import ArgumentError, DataError, MatchError


def test_dataset_takes_parts():
    x, y = torch.arange(12).reshape(6, 2), torch.arange(6)
    data = Dataset(x, y)
    assert len(data) == 6
    assert [part.tolist() for part in data[1]] == [[2, 3], 1]
    assert [part.tolist() for part in data[4:]] == [[[8, 9], [10, 11]], [4, 5]]
    assert data[torch.tensor([5, 0])][1].tolist() == [5, 0]
    assert data[y > 3][1].tolist() == [4, 5]
    assert repr(data) == "Dataset((6, 2), (6,))"


def test_dataset_of_unequal_lengths():
    with pytest.raises(ValueError, match=r"Batch dimension mismatch! Found lengths: \[4, 5\]"):
        Dataset(torch.zeros(4), torch.zeros(5))


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(10, 4, [4, 4, 2]), (4, 4, [4]), (3, 10, [3]), (4096, 100, [100] * 40 + [96])]
)
def test_loader_batches(n, size, sizes):
    loader = DataLoader(Dataset(torch.arange(n)), size)
    assert [len(batch[0]) for batch in loader] == sizes
    assert len(loader) == len(sizes)
    assert torch.equal(torch.cat([batch[0] for batch in loader]), torch.arange(n))


def test_loader_shuffles_anew_and_repeatably(device):
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


def test_generate_batches_shuffles_pairs():
    """The notebook's shuffle is None and never shuffles."""
    x = np.arange(50.0)[:, None]
    batches = list(lnc.generate_batches(x, np.arange(50), size=20, generator=torch.Generator().manual_seed(0)))
    assert [tuple(a.shape) for a, _ in batches] == [(20, 1), (20, 1), (10, 1)]
    assert all(a.dtype == torch.float32 and b.shape == (len(a), 1) for a, b in batches)
    order = torch.cat([a for a, _ in batches])
    assert torch.equal(order.long(), torch.cat([b for _, b in batches]))
    assert order[:, 0].tolist() != list(range(50))
    assert sorted(order[:, 0].tolist()) == list(range(50))


def test_generate_batches_without_shuffling():
    """The notebook raises IndexError here for labels (n,)."""
    (x, y), (x2, _) = lnc.generate_batches([[1], [2], [3]], [0, 1, 0], size=2, shuffle=False)
    assert x.tolist() == [[1], [2]]
    assert y.tolist() == [[0], [1]]
    assert x2.tolist() == [[3]]


def test_generate_batches_keeps_image_shapes():
    images = np.zeros((5, 3, 8, 8), dtype=np.uint8)
    shapes = [tuple(x.shape) for x, _ in lnc.generate_batches(images, np.zeros(5), size=4)]
    assert shapes == [(4, 3, 8, 8), (1, 3, 8, 8)]


def test_generate_batches_of_unequal_lengths():
    with pytest.raises(ValueError, match="features 3, labels 2"):
        list(lnc.generate_batches(np.zeros((3, 1)), np.zeros(2)))


def test_generate_batches_keeps_tensors_where_they_are(device):
    x = torch.randn(4, 2, device=device, dtype=torch.float32)
    (xb, yb), *_ = lnc.generate_batches(x, torch.ones(4, device=device))
    assert xb.device.type == yb.device.type == device


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_standardize(kind):
    x = np.random.default_rng(0).normal(5, 3, (40, 3))
    x[:, 1] = 0.1  # constant, and no binary fraction
    given = x if kind == "array" else torch.tensor(x)
    scaled = np.asarray(lnc.standardize(given))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(0), [1, 0, 1])
    assert (scaled[:, 1] == 0).all()
    new = np.full((2, 3), 0.7)
    expected = (new - x.mean(0)) / x.std(0)
    got = np.asarray(lnc.standardize(new if kind == "array" else torch.tensor(new), like=given))
    np.testing.assert_allclose(got[:, [0, 2]], expected[:, [0, 2]])
    assert (got[:, 1] == 0).all()


def test_standardize_keeps_type():
    assert lnc.standardize(np.ones((2, 2), dtype=np.float32)).dtype == np.float32
    assert lnc.standardize(np.ones((2, 2), dtype=np.int32)).dtype == np.float64
    assert lnc.standardize(torch.ones(2, 2, dtype=torch.int32)).dtype == torch.float32
    assert lnc.standardize(torch.ones(2, 3, 4)).shape == (2, 3, 4)


def test_standardize_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="like has"):
        lnc.standardize(np.ones((2, 3)), like=np.ones((2, 4)))
    with pytest.raises(DataError, match="no examples"):
        lnc.standardize(np.ones((0, 3)))
    with pytest.raises(DataError, match="no real numbers"):
        lnc.standardize(np.array([["a"], ["b"]]))


@pytest.mark.parametrize("change", ["readonly", "reversed", "big-endian", "transposed"])
def test_arrays_of_unusual_memory(change):
    x = np.arange(12.0).reshape(3, 4)
    if change == "readonly":
        x.flags.writeable = False
    x = {"reversed": x[::-1], "big-endian": x.astype(">f8"), "transposed": x.T}.get(change, x)
    (batch, _), *_ = lnc.generate_batches(x, np.zeros(len(x)), shuffle=False)
    np.testing.assert_array_equal(batch.numpy(), x.astype(np.float32))


# ---- The loader's other ways


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
def test_a_loader_goes_on_in_the_middle_of_an_epoch(generator, budget):
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


# ---- Splits and generated data


def test_random_split():
    data = Dataset(torch.arange(11), torch.arange(11) * 2)
    for lengths, sizes in (([8, 3], [8, 3]), ([0.8, 0.2], [9, 2]), ([0.5, 0.25, 0.25], [6, 3, 2]), ([11, 0], [11, 0])):
        parts = lnc.data.random_split(data, lengths, torch.Generator().manual_seed(0))
        assert [len(part) for part in parts] == sizes
        together = torch.cat([part.tensors[0] for part in parts])
        assert sorted(together.tolist()) == list(range(11))
        assert all(torch.equal(part.tensors[0] * 2, part.tensors[1]) for part in parts)
        again = lnc.data.random_split(data, lengths, torch.Generator().manual_seed(0))
        assert torch.equal(torch.cat([part.tensors[0] for part in again]), together)
        reference = torch.utils.data.random_split(range(11), lengths, torch.Generator().manual_seed(0))
        assert [len(part) for part in reference] == sizes
    for wrong in ([5, 5], [0.5, 0.6], [12, -1], [1.5, -0.5]):
        with pytest.raises(ArgumentError, match="random_split"):
            lnc.data.random_split(data, wrong)


def test_train_test_split():
    data = Dataset(torch.arange(10))
    train, test = lnc.data.train_test_split(data, 0.25, torch.Generator().manual_seed(0))
    assert (len(train), len(test)) == (7, 3)
    assert sorted([*train.tensors[0].tolist(), *test.tensors[0].tolist()]) == list(range(10))
    for wrong in (0, 1, 1.5, -0.1, 0.95):
        with pytest.raises(ArgumentError, match="both parts need some"):
            lnc.data.train_test_split(data, wrong)


def test_generated_data_depend_on_the_features():
    """In the seeds they do not: there the best log loss is log 2, and the best R2 is 0."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    def generator():
        return torch.Generator().manual_seed(42)

    X, y = lnc.data.make_classification(5120, 6, generator=generator())
    assert (X.shape, y.shape, y.dtype) == ((5120, 6), (5120, 1), torch.float32)
    assert set(y[:, 0].tolist()) == {0, 1}
    assert LogisticRegression().fit(X, y[:, 0]).score(X, y[:, 0]) > 0.85
    X3, y3 = lnc.data.make_classification(2000, 6, 3, generator())
    assert (y3.shape, y3.dtype, set(y3.tolist())) == ((2000,), torch.int64, {0, 1, 2})
    assert LogisticRegression().fit(X3, y3).score(X3, y3) > 0.75
    X, y = lnc.data.make_regression(4096, 6, generator=generator())
    assert (X.shape, y.shape) == ((4096, 6), (4096, 1))
    fitted = LinearRegression().fit(X, y)
    assert fitted.score(X, y) > 0.99
    assert (y - torch.tensor(fitted.predict(X))).std().item() == pytest.approx(0.1, rel=0.05), "noise is the noise of y"
    again, _ = lnc.data.make_regression(4096, 6, generator=generator())
    assert torch.equal(X, again)
    with pytest.raises(ArgumentError):
        lnc.data.make_classification(10, 2, num_classes=1)
    with pytest.raises(ArgumentError):
        lnc.data.make_regression(0, 2)


def test_linearly_separable():
    torch.manual_seed(1)
    data = lnc.data.linearly_separable(b=0, w=1)
    assert len(data) == 400
    assert data[0][0].tolist() == [-2.0]
    assert data[0][1].tolist() == [0.0]
    x, y = data.tensors
    assert 0.95 < ((x > 0) == y.bool()).float().mean() < 1
    exact = lnc.data.linearly_separable(b=0.505, w=1, sigma=0).tensors
    assert torch.equal(exact[1], (exact[0] > -0.505).float())
