"""What estimators hold between calls: copies after set_params, concurrent fits, moved networks."""

import copy
import pickle
import random
import threading
import warnings
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from estimator_cases import BINARY, CLASSES, LABELS, NUMBERS, X, net, ours, quietly
from numpy.testing import assert_allclose, assert_array_equal

import lincoln as lnc
from lincoln.estimators import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor
from lincoln.layers import Dense, Dropout, Identity, Linear, Sequential, Softmax

both_copies = pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))], ids=["copy", "pickle"]
)


@both_copies
@pytest.mark.parametrize(
    "changed",
    [
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"alpha": -1},
        {"learning_rate_init": "fast"},
        {"activation": "tanh"},
        {"dropout": 0.5},
        {"solver": "sgd", "activation": "tanh", "alpha": 1.0},
    ],
    ids=str,
)
def test_copies_made_after_parameters_were_set(changed, copied):
    """They predict as the original does, and, where the parameters are sound, fit on as it does."""
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, CLASSES).set_params(**changed)
    other = copied(mlp)
    assert_array_equal(other.predict_proba(X), mlp.predict_proba(X))
    if changed not in ({"alpha": -1}, {"learning_rate_init": "fast"}):
        quietly(mlp.fit, X, CLASSES), quietly(other.fit, X, CLASSES)
        assert repr(other.network_) == repr(mlp.network_)
        assert_array_equal(other.predict_proba(X), mlp.predict_proba(X))


@both_copies
@pytest.mark.parametrize("changed", [{"loss": lnc.MSE}, {"optimizer": lnc.SGD}, {"network": Linear(5)}], ids=str)
def test_copies_of_networks_made_after_parameters_were_set(changed, copied):
    fitted = quietly(ours("NetworkClassifier").fit, X, CLASSES).set_params(**changed)
    assert_array_equal(copied(fitted).predict_proba(X), fitted.predict_proba(X))


@both_copies
def test_copies_keep_the_best_weights(copied):
    mlp = quietly(ours("MLPClassifier", warm_start=True, early_stopping=True, max_iter=30).fit, X, BINARY)
    other = quietly(copied(mlp).set_params(learning_rate_init=1e-9, max_iter=2).fit, X, 1 - BINARY)
    for found, kept in zip(other.coefs_, mlp.coefs_, strict=True):
        assert_array_equal(found, kept)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_optimizer_goes_on_in_a_rebuilt_network(method):
    """scikit-learn's optimizer, too, is the first call's, whatever the solver is by now."""
    mlp = quietly(ours("MLPClassifier", warm_start=method == "fit").fit, X, BINARY)
    mlp.set_params(solver="sgd", activation="tanh")
    quietly(getattr(mlp, method), X, BINARY)
    assert isinstance(mlp._optimizer, lnc.Momentum if method == "fit" else lnc.AdamHat)
    assert mlp._optimizer.network is mlp.network_
    assert "tanh" in repr(mlp.network_)


def test_a_failed_fit_with_changed_parameters_changes_nothing():
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, BINARY)
    before, state = mlp.predict_proba(X), mlp._optimizer.state_dict()

    class Stumble(lnc.Callback):
        def epoch_end(self, trainer):
            raise RuntimeError("stumbled")

    mlp.set_params(activation="tanh", callbacks=[Stumble()])
    with pytest.raises(RuntimeError, match="stumbled"):
        mlp.partial_fit(X, BINARY)
    assert_array_equal(mlp.predict_proba(X), before)
    torch.testing.assert_close(mlp._optimizer.state_dict(), state)


# ---- Several at once


def test_concurrent_fits_are_those_of_one_after_another_and_leave_random_numbers_alone():
    def fitted(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
        return NetworkClassifier(Sequential(Dense(6, "relu"), Dropout(0.3), Linear(3)), tol=1e9, random_state=seed).fit(
            X, CLASSES
        )

    numpys, pythons, torchs = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    together = joblib.Parallel(n_jobs=4, backend="threading")(joblib.delayed(fitted)(seed) for seed in range(6))
    assert_array_equal(np.random.get_state()[1], numpys)
    assert random.getstate() == pythons
    assert torch.equal(torch.get_rng_state(), torchs)
    for seed, one in enumerate(together):
        assert_array_equal(one.predict_proba(X), fitted(seed).predict_proba(X))


def test_concurrent_fits_leave_torchs_threads_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fits = [threading.Thread(target=MLPClassifier((4,), tol=1e9).fit, args=(X, BINARY)) for _ in range(4)]
        for fit in fits:
            fit.start()
        for fit in fits:
            fit.join()
        seen = []
        fresh = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        fresh.start()
        fresh.join()
        assert seen == [2] == [torch.get_num_threads()]
    finally:
        torch.set_num_threads(before)


# ---- What is held, and where


def test_a_network_that_was_moved_is_shown_where_it_is():
    mlp = quietly(ours("MLPClassifier").fit, X, BINARY)
    mlp.network_.to(dtype=torch.float32)
    before = mlp.predict_proba(X)
    assert mlp.coefs_[0].dtype == np.float32
    mlp.coefs_[0][:] = 0
    assert (mlp.predict_proba(X) != before).any()


def test_a_dtype_set_later_holds_in_the_next_fit():
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, BINARY)
    quietly(mlp.set_params(dtype="float32").fit, X, BINARY)
    assert {coef.dtype for coef in mlp.coefs_} == {np.dtype(np.float32)}
    assert np.shares_memory(mlp.coefs_[0], mlp.network_[0]["linear"].W.numpy())


def test_losses_are_numpys_floats():
    mlp = quietly(ours("MLPClassifier").fit, X, BINARY)
    assert mlp.loss_.round(3) == round(float(mlp.loss_), 3) == round(float(mlp.loss_curve_[-1]), 3)
    assert isinstance(quietly(ours("MLPClassifier", solver="lbfgs").fit, X, BINARY).loss_, np.float64)


def test_a_memory_map_is_not_copied(tmp_path):
    file = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    file[:] = X
    file.flush()
    seen = []

    class Look(lnc.Callback):
        def train_begin(self, trainer):
            seen.append(trainer.train_batches.dataset.tensors[0])

    mapped = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    quietly(ours("MLPClassifier", callbacks=[Look()]).fit, mapped, BINARY)
    assert np.shares_memory(seen[0].numpy(), mapped)


def test_callbacks_may_ask_the_estimator_in_its_first_fit():
    class Ask(lnc.Callback):
        def epoch_end(self, trainer):
            self.shape = mlp.predict_proba(X).shape

    ask = Ask()
    mlp = ours("MLPClassifier", callbacks=[ask])
    quietly(mlp.fit, X, CLASSES)
    assert ask.shape == (60, 3)


def test_a_schedule_taken_away_leaves_the_first_rate():
    fitted = ours("NetworkClassifier", lr=0.1, schedule=lnc.schedules.exponential(0.5))
    fitted.partial_fit(X, BINARY, classes=[0, 1])
    assert fitted._optimizer.lr < 0.1
    fitted.set_params(schedule=None).partial_fit(X, BINARY)
    assert fitted._optimizer.lr == 0.1


# ---- Labels, losses, validation data


def test_labels_are_there_or_not_whatever_number_says_so():
    one, other = (quietly(ours("MLPClassifier").fit, X, labels) for labels in (LABELS, LABELS * 2))
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_long_doubles_are_numbers():
    assert_array_equal(
        *(quietly(ours("MLPRegressor").fit, X, y).predict(X) for y in (NUMBERS, NUMBERS.astype(np.longdouble)))
    )


def test_a_loss_by_partial_takes_logits_too():
    plain, made = (
        quietly(ours("NetworkClassifier", network=net, loss=loss).fit, X, CLASSES)
        for loss in (lnc.CrossEntropy, partial(lnc.CrossEntropy, l2=0.0))
    )
    assert_array_equal(plain.predict_proba(X), made.predict_proba(X))


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_networks_with_nothing_to_learn(kind):
    network = Softmax() if kind is NetworkClassifier else Identity()
    with pytest.raises(ValueError, match=r"has no parameters, so there is nothing to learn"):
        kind(network).fit(X[:, :3], CLASSES if kind is NetworkClassifier else X[:, :3])


def test_validation_data_may_lack_a_class():
    y = np.where(CLASSES == 2, 0, CLASSES)
    mlp = ours("MLPClassifier", warm_start=True, validation_data=(X, y))
    assert len(quietly(mlp.fit, X, CLASSES).validation_scores_) == mlp.n_iter_


def test_validation_data_of_one_example():
    with pytest.raises(ValueError, match="The validation set is too small"):
        MLPRegressor(validation_data=(X[:1], NUMBERS[:1])).fit(X, NUMBERS)


def test_a_piece_whose_classes_weigh_nothing_changes_nothing_but_the_memory():
    mlp = ours("MLPClassifier", class_weight={0: 0, 1: 1, 2: 1})
    mlp.partial_fit(X, CLASSES, classes=[0, 1, 2])
    only = X[CLASSES == 0]
    mlp.set_params(solver="sgd").partial_fit(only, np.zeros(len(only), int))
    assert np.isfinite(mlp.loss_)


@pytest.mark.parametrize("given", [{"sample_weight": -np.ones(60)}, {"sample_weight": np.r_[-1, np.ones(59)]}])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_negative_weights_are_refused(given, solver):
    with pytest.raises(ValueError, match="Negative values in sample_weight or class_weight"):
        ours("MLPClassifier", solver=solver).fit(X, BINARY, **given)


def test_negative_class_weights_are_refused():
    with pytest.raises(ValueError, match="Negative values in sample_weight or class_weight"):
        ours("MLPClassifier", class_weight={0: 1, 1: -1}).fit(X, BINARY)


def test_a_batch_that_weighs_nothing_has_no_part_in_the_fit():
    weights = np.r_[np.zeros(30), np.ones(30)]
    settings = {"batch_size": 30, "shuffle": False, "solver": "sgd", "momentum": 0.0, "alpha": 0.1}
    whole = quietly(ours("MLPClassifier", **settings).fit, X, BINARY, weights)
    half = quietly(ours("MLPClassifier", **settings).fit, X[30:], BINARY[30:])
    assert_allclose(whole.coefs_[0], half.coefs_[0], rtol=1e-12)
