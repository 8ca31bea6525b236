"""Random numbers of a run."""

import random

import numpy as np
import torch
from training_cases import X, Y, run

from lincoln import Callback, Dataset


def test_one_seed_repeats_a_run_bit_by_bit():
    class Coins(Callback):
        """Draw from all three generators, as a user's callback may."""

        def __init__(self):
            self.seen = []

        def step_begin(self, trainer):
            self.seen.append((torch.rand(1).item(), np.random.rand(), random.random()))

    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    ends = []
    for _ in range(2):
        coins = Coins()
        trainer = run(callbacks=[coins], val=Dataset(X.double(), Y))
        ends.append((trainer.train().losses, trainer.model.flatten()[0].tolist(), coins.seen))
    assert ends[0] == ends[1]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_validation_with_torchs_loader_leaves_random_numbers_alone():
    """torch's loader draws a number for its workers in each pass."""
    ends = []
    for val in (None, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X.double(), Y), batch_size=7)):
        trainer = run(val=val)
        trainer.train()
        ends.append(trainer.model.flatten()[0])
    assert torch.equal(*ends)
