"""Early stopping, and the best weights."""

import torch
from training_cases import X, Y, run

from lincoln import Callback, Dataset


def test_early_stopping_brings_back_the_best_weights():
    """The validation targets are the opposite of the training targets, so training makes the validation loss worse."""
    val = Dataset(X.double(), 1 - Y)
    kept = []

    class Keep(Callback):
        def epoch_end(self, trainer):
            kept.append(trainer.model.flatten()[0].clone())

    for restore in (True, False):
        kept.clear()
        trainer = run(val=val, patience=4, num_epochs=50, callbacks=[Keep()], restore_best=restore)
        history = trainer.train()
        assert history.stopped == "no better loss in 4 epochs (patience)"
        assert history.epochs == history.best_epoch + 4 < 50
        chosen = kept[history.best_epoch - 1] if restore else kept[-1]
        assert torch.equal(trainer.model.flatten()[0], chosen)


def test_min_delta():
    history = run(patience=2, min_delta=100.0, num_epochs=50).train()
    assert history.epochs == 3, "without validation the training loss is watched"
