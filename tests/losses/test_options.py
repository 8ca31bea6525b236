"""Soft targets, label smoothing, class weights and ignored examples: torch's values and gradients."""

from functools import partial

import numpy as np
import pytest
import torch
from cases import both_reductions
from torch.nn import functional as F

import lincoln as lnc
from lincoln.errors import ArgumentError, DataError, MatchError
from lincoln.layers import Dense, Identity, Linear, Sequential, Sigmoid, Softmax

N, C, OUTPUTS = 12, 5, 3
EXACT = {"rtol": 1e-10, "atol": 1e-10}
weighted = pytest.mark.parametrize("weighted", [False, True], ids=["all alike", "sample weights"])
CLASSES = torch.tensor([0.5, 2.0, 0.0, 1.5, 3.0], dtype=torch.float64)
POSITIVE = torch.tensor([0.5, 4.0, 1.0], dtype=torch.float64)


def hard(n=N):
    return torch.randint(0, 2, (n, OUTPUTS)).double()


def soft(n=N):
    return torch.rand(n, OUTPUTS, dtype=torch.float64)


def indices(n=N):
    return torch.arange(n) % C


def some_ignored(n=N, index=-100):
    return torch.where(torch.arange(n) % 4 == 1, index, indices(n))


def rows(n=N):
    return torch.softmax(torch.randn(n, C, dtype=torch.float64), -1)


def by_torch(examples, z, sample_weight, divisor):
    """The sum of the examples' losses over `divisor`, and its gradient, by autograd."""
    z = z.clone().requires_grad_()
    loss = examples(z)
    total = (loss if sample_weight is None else loss * sample_weight).sum() / divisor
    return total.detach(), torch.autograd.grad(total, z)[0]


def by_hand(loss, z, targets, sample_weight):
    return loss(z, targets, sample_weight), loss.backward(input_grad=True)


@pytest.mark.parametrize("form", ["link", "from_logits"])
@both_reductions
@weighted
@pytest.mark.parametrize("targets", [hard, soft], ids=["hard", "soft"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_smoothing": 0.1},
        {"pos_weight": POSITIVE},
        {"pos_weight": 3},
        {"label_smoothing": 1.0, "pos_weight": [2.0]},
    ],
    ids=str,
)
def test_log_loss_is_torchs(form, reduction, weighted, targets, options):
    z, y = 3 * torch.randn(N, OUTPUTS, dtype=torch.float64), targets()
    w = torch.rand(N, dtype=torch.float64) if weighted else None
    e = options.get("label_smoothing", 0)
    pos_weight = torch.as_tensor(options.get("pos_weight", 1.0), dtype=torch.float64)
    if pos_weight.shape == (1,):
        z, y = z[:, :1], y[:, :1]

    def examples(z):
        smooth = y * (1 - e) + e / 2
        return F.binary_cross_entropy_with_logits(z, smooth, pos_weight=pos_weight, reduction="none").sum(-1)

    network = Sequential(Identity(), Sigmoid()) if form == "link" else Identity()
    loss = lnc.LogLoss(network, reduction, from_logits=form != "link", **options)
    divisor = 1 if reduction == "sum" else N if w is None else w.sum()
    torch.testing.assert_close(by_hand(loss, z, y, w), by_torch(examples, z, w, divisor), **EXACT)


@both_reductions
@weighted
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"pos_weight": POSITIVE}], ids=str)
def test_log_loss_on_probabilities_is_torchs(reduction, weighted, options):
    p, y = torch.rand(N, OUTPUTS, dtype=torch.float64), soft()
    w = torch.rand(N, dtype=torch.float64) if weighted else None
    e, pos_weight = options.get("label_smoothing", 0), options.get("pos_weight", torch.ones(()))

    def examples(p):
        smooth = y * (1 - e) + e / 2
        return F.binary_cross_entropy_with_logits(torch.logit(p), smooth, pos_weight=pos_weight, reduction="none").sum(-1)

    loss = lnc.LogLoss(Identity(), reduction, **options)
    divisor = 1 if reduction == "sum" else N if w is None else w.sum()
    torch.testing.assert_close(by_hand(loss, p, y, w), by_torch(examples, p, w, divisor), **EXACT)


class OtherSoftmax(Softmax):
    """No softmax that the loss knows, so that its formulas for probabilities are used."""


CROSS = [
    {"label_smoothing": 0.1},
    {"label_smoothing": 1.0},
    {"class_weight": CLASSES},
    {"class_weight": CLASSES.tolist(), "label_smoothing": 0.3},
]


@pytest.mark.parametrize("form", ["link", "from_logits", "probabilities"])
@both_reductions
@pytest.mark.parametrize("targets", [indices, rows, some_ignored], ids=lambda make: make.__name__)
@pytest.mark.parametrize("options", [{}, *CROSS], ids=str)
def test_cross_entropy_is_torchs(form, reduction, targets, options):
    z, y = 3 * torch.randn(N, C, dtype=torch.float64), targets()
    ignoring = {"ignore_index": -100} if targets is some_ignored else {}
    weight = torch.as_tensor(options["class_weight"], dtype=torch.float64) if "class_weight" in options else None
    reference = partial(
        F.cross_entropy, weight=weight, label_smoothing=options.get("label_smoothing", 0.0), reduction=reduction
    )
    network = {"from_logits": Identity(), "link": Softmax(), "probabilities": OtherSoftmax()}[form]
    loss = lnc.CrossEntropy(network, reduction, from_logits=form == "from_logits", **options, **ignoring)
    expected = by_torch(lambda z: reference(z, y), z, None, 1)
    torch.testing.assert_close(by_hand(loss, z, y, None), expected, **EXACT)


@both_reductions
@pytest.mark.parametrize("targets", [indices, rows, some_ignored], ids=lambda make: make.__name__)
@pytest.mark.parametrize("options", [{}, *CROSS], ids=str)
def test_cross_entropy_with_sample_weights(reduction, targets, options):
    """A mean divides by the sum of sample weight times class weight, as if an example of weight 2 were there twice."""
    z, y = torch.randn(N, C, dtype=torch.float64), targets()
    w = torch.arange(N, dtype=torch.float64) % 3
    twice = torch.repeat_interleave(torch.arange(N), w.long())
    loss = lnc.CrossEntropy(Identity(), reduction, from_logits=True, **options, ignore_index=-100)
    value, gradient = by_hand(loss, z, y, w)
    expected, each = by_hand(loss, z[twice], y[twice], None)
    torch.testing.assert_close(value, expected, **EXACT)
    torch.testing.assert_close(gradient, torch.zeros_like(z).index_add_(0, twice, each), **EXACT)


def test_options_on_sequences():
    z, y = torch.randn(4, 6, C, dtype=torch.float64), some_ignored(24, 255).view(4, 6)
    for options in ({}, *CROSS):
        weight = torch.as_tensor(options["class_weight"], dtype=torch.float64) if "class_weight" in options else None
        smoothing = options.get("label_smoothing", 0.0)
        loss = lnc.CrossEntropy(Identity(), from_logits=True, **options, ignore_index=255)
        expected = F.cross_entropy(z.mT, y, weight, ignore_index=255, label_smoothing=smoothing)
        torch.testing.assert_close(loss(z, y.to(torch.uint8)), expected, **EXACT)
        w = torch.rand(4, dtype=torch.float64)
        assert lnc.check_gradients(loss, z, y, w)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hard_targets_keep_their_formula_bit_for_bit(dtype):
    """Whether a check has seen that all targets are 0 or 1 decides the formula, not the numbers."""
    z = torch.cat([100 * torch.randn(5000, dtype=dtype), torch.tensor([-1000.0, -40, -16, 0, 16, 40, 1000], dtype=dtype)])
    z = z.view(-1, 1)
    y = torch.randint(0, 2, z.shape).to(dtype)
    expected = F.softplus((1 - 2 * y) * z, threshold=40)
    loss = lnc.LogLoss(Identity(), from_logits=True)
    for known in (None, True, False):
        loss.hard = known
        assert torch.equal(loss.value_from_logits(z, y), expected)


def test_soft_targets_after_hard_ones_are_not_taken_for_hard():
    loss = lnc.LogLoss(Identity(), from_logits=True)
    z, y = torch.randn(8, 1), torch.rand(8, 1)
    expected = F.binary_cross_entropy_with_logits(z, y, reduction="sum")
    loss(z, y.round())
    torch.testing.assert_close(loss(z, y, check_targets=False), expected)
    torch.testing.assert_close(loss(z, y), expected)


@pytest.mark.parametrize("soft_part", ["training", "validation"])
def test_a_run_on_soft_and_hard_targets(soft_part):
    x, y = torch.randn(40, 3), torch.rand(40, 1)
    train, validation = (y, y.round()) if soft_part == "training" else (y.round(), y)
    config = lnc.TrainerConfig(3, 20, seed=0, progress=None)
    trainer = lnc.Trainer(
        Sequential(Linear(1), Sigmoid()),
        config,
        partial(lnc.LogLoss, reduction="mean"),
        partial(lnc.SGD, lr=0.0),
        lnc.Dataset(x, train),
        lnc.Dataset(x, validation),
    )
    history = trainer.train()
    p = trainer.model.eval()(x)
    assert history.losses == pytest.approx([F.binary_cross_entropy(p, train).item()] * 3)
    assert history.val_losses == pytest.approx([F.binary_cross_entropy(p, validation).item()] * 3)
    assert trainer.loss.hard is None


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (partial(lnc.LogLoss, label_smoothing=0.1), lambda n: torch.arange(n) % 2),
        (partial(lnc.LogLoss, pos_weight=3.0), lambda n: torch.arange(n) % 2),
        (lnc.LogLoss, lambda n: torch.rand(n)),
        (
            partial(lnc.CrossEntropy, class_weight=[1, 2, 3], label_smoothing=0.1, ignore_index=-1),
            lambda n: torch.arange(n) % 4 - 1,
        ),
        (partial(lnc.CrossEntropy, class_weight=[1, 2, 3]), lambda n: torch.arange(n) % 3),
        (partial(lnc.CrossEntropy, ignore_index=1), lambda n: torch.arange(n) % 3),
    ],
    ids=["smooth", "positive", "soft", "all three", "classes", "ignored"],
)
@both_reductions
@pytest.mark.parametrize("weights", [False, True], ids=["", "weighted"])
def test_replayed_steps_are_those_of_the_layers(loss, targets, reduction, weights):
    loss = partial(loss, reduction=reduction)
    binary = "LogLoss" in str(loss)
    x, y = torch.randn(60, 4), targets(60)
    data = lnc.Dataset(x, y, torch.rand(60)) if weights else lnc.Dataset(x, y)
    results = []
    for replay in (True, False):
        config = lnc.TrainerConfig(40, 20, seed=0, progress=None, replay=replay)
        network = Sequential(Dense(5, "tanh"), Dense(1) if binary else Dense(3, "softmax"))
        trainer = lnc.Trainer(network, config, loss, partial(lnc.SGD, lr=0.01), data, data)
        history = trainer.train()
        results.append((history.losses, history.val_losses, network.flatten()[0]))
    assert results[0][:2] == results[1][:2]
    assert torch.equal(results[0][2], results[1][2])


@pytest.mark.parametrize("size", [60, 7, 1])
@both_reductions
def test_a_runs_loss_does_not_depend_on_the_batches(size, reduction):
    """An epoch's loss is divided by the summed weights of its examples, class weights among them."""
    x, y, w = torch.randn(60, 4, dtype=torch.float64), torch.arange(60) % 4 - 1, torch.rand(60, dtype=torch.float64)
    loss = partial(lnc.CrossEntropy, reduction=reduction, class_weight=[1, 2, 3], ignore_index=-1)
    network = Dense(3, "softmax").to(dtype=torch.float64)
    batches = [tuple(part[i : i + size] for part in (x, y, w)) for i in range(0, 60, size)]
    for data in (lnc.Dataset(x, y, w), batches):
        config = lnc.TrainerConfig(1, size, seed=0, progress=None)
        history = lnc.Trainer(network, config, loss, partial(lnc.SGD, lr=0.0), data, data).train()
        expected = lnc.CrossEntropy(network, class_weight=[1, 2, 3], ignore_index=-1)(x, y, w).item()
        assert history.losses == pytest.approx([expected])
        assert history.val_losses == pytest.approx([expected])


def test_accumulated_batches_are_one_batch():
    x, y = torch.randn(12, 4, dtype=torch.float64), torch.arange(12) % 4 - 1
    loss = partial(lnc.CrossEntropy, class_weight=[1, 2, 3], ignore_index=-1)
    states = []
    for size, accumulate in ((12, 1), (3, 4), (1, 12)):
        network = Dense(3, "softmax").to(dtype=torch.float64)
        config = lnc.TrainerConfig(2, size, seed=0, progress=None, accumulate=accumulate, shuffle_minibatches=False)
        lnc.Trainer(network, config, loss, lnc.SGD, lnc.Dataset(x, y)).train()
        states.append(network.flatten()[0])
    for state in states[1:]:
        torch.testing.assert_close(state, states[0], **EXACT)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_one_hot_rows_of_any_dtype(kind):
    """Integers and bools of the prediction's shape were called unlike it."""
    x, y = torch.randn(6, 4), torch.arange(6) % 3
    loss = lnc.CrossEntropy(Dense(3, "softmax"))
    expected = loss(x, y)
    assert loss(x, F.one_hot(y, 3).to(kind)) == expected
    history = lnc.Trainer(
        loss.network,
        lnc.TrainerConfig(1, progress=None),
        loss,
        partial(lnc.SGD, lr=0.0),
        lnc.Dataset(x, F.one_hot(y, 3).to(kind)),
    ).train()
    assert history.losses == pytest.approx([expected.item()])


@pytest.mark.parametrize("wrong", [[1, 1, 0], [0, 0, 0], [2, -1, 0], [0, 3, 0]])
def test_integers_that_are_no_one_hot_rows(wrong):
    with pytest.raises(
        MatchError, match=r"targets have shape \(2, 3\).*\(2,\) for class indices, or one-hot rows.*is row 1$"
    ):
        lnc.CrossEntropy(Dense(3, "softmax"))(torch.randn(2, 4), torch.tensor([[1, 0, 0], wrong]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([2.0, -1, 0], r"must be 0 or more.*found -1 \(at \(1, 1\)\)"),
        ([float("nan"), 1, 0], r"found nan \(at \(1, 0\)\)"),
        ([0.5, 0.4, 0], r"sum to 1 over the last dimension; found a sum of 0\.9 \(at 1\)"),
        ([float("inf"), 0, 0], r"found a sum of inf \(at 1\)"),
    ],
)
def test_rows_that_are_no_probabilities(wrong, message):
    with pytest.raises(DataError, match=f"CrossEntropy: target probabilities.*{message}"):
        lnc.CrossEntropy(Dense(3, "softmax"))(torch.randn(2, 4), torch.tensor([[1.0, 0, 0], wrong]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_probabilities_sum_to_one_as_far_as_half_precision_can_tell(dtype):
    y = torch.softmax(torch.randn(200, 7), -1)
    loss = lnc.CrossEntropy(Dense(7, "softmax").to(dtype=dtype))
    assert torch.isfinite(loss(torch.randn(200, 3, dtype=dtype), y))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 2, float("nan"), float("inf"), -float("inf")])
def test_log_loss_refuses_targets_outside_0_to_1(wrong):
    loss = lnc.LogLoss(Dense(2))
    y = torch.full((3, 2), 0.5)
    y[2, 1] = wrong
    with pytest.raises(
        DataError, match=rf"LogLoss: targets hold {wrong:g} \(at \(2, 1\)\); expected 0 and 1 only, or prob"
    ):
        loss(torch.randn(3, 4), y)


def test_wrong_class_indices_are_named_and_ignored_ones_pass():
    loss = lnc.CrossEntropy(Dense(3, "softmax"), ignore_index=-100)
    x = torch.randn(3, 4)
    loss(x, torch.tensor([0, -100, 2]))
    with pytest.raises(DataError, match=r"class indices hold -1 \(at 1\).*expected 0 to 2, or ignore_index, -100"):
        loss(x, torch.tensor([0, -1, 2]))
    assert loss(x, torch.full((3,), -100)).item() == 0
    loss.backward()
    assert not any(grad.any() for grad in loss.network.grads())
    with pytest.raises(DataError, match="all examples have weight 0"):
        lnc.Trainer(loss.network, lnc.TrainerConfig(1), loss, lnc.SGD, lnc.Dataset(x, torch.full((3,), -100))).train()


@pytest.mark.parametrize("loss", [lnc.LogLoss, lnc.CrossEntropy])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), "0.1", None, True, [0.1]])
def test_label_smoothing_out_of_range(loss, wrong):
    with pytest.raises(ArgumentError, match=f"{loss.__name__}: label_smoothing is .*; expected a number from 0 to 1"):
        loss(Dense(2, None), from_logits=True, label_smoothing=wrong)


WEIGHTS = [
    [-1.0, 1, 1],
    [float("nan"), 1, 1],
    [1, float("inf"), 1],
    "balanced",
    {0: 1},
    torch.ones(3, 1),
    [True, False, True],
]


@pytest.mark.parametrize("wrong", [*WEIGHTS, [0, 0, 0], 2.0, torch.ones(3) * 1j, np.array(["a", "b"])], ids=repr)
def test_unusable_class_weights(wrong):
    with pytest.raises(
        ArgumentError, match=r"CrossEntropy: class_weight is (.|\n)*; expected finite numbers of at least 0"
    ):
        lnc.CrossEntropy(Dense(3, "softmax"), class_weight=wrong)


@pytest.mark.parametrize("wrong", [*WEIGHTS, [], -2], ids=repr)
def test_unusable_pos_weights(wrong):
    with pytest.raises(ArgumentError, match=r"LogLoss: pos_weight is (.|\n)*; expected a finite number of at least 0, or"):
        lnc.LogLoss(Dense(3), pos_weight=wrong)


@pytest.mark.parametrize("wrong", [1.5, "0", True])
def test_ignore_index_is_an_integer(wrong):
    with pytest.raises(ArgumentError, match=r"CrossEntropy: ignore_index is .*; expected an integer, or None"):
        lnc.CrossEntropy(Dense(3, "softmax"), ignore_index=wrong)


def test_long_settings_are_shortened_in_messages():
    with pytest.raises(ArgumentError) as refusal:
        lnc.CrossEntropy(Dense(3, "softmax"), class_weight=-torch.rand(900, dtype=torch.float64))
    assert len(str(refusal.value)) <= 500


@pytest.mark.parametrize("check", [True, False])
def test_numbers_for_other_outputs(check):
    x = torch.randn(4, 2)
    with pytest.raises(
        MatchError, match="class_weight holds 4 numbers, and the network has 3 outputs; expected one for each"
    ):
        lnc.CrossEntropy(Dense(3, "softmax"), check_targets=check, class_weight=[1, 2, 3, 4])(x, torch.arange(4) % 3)
    with pytest.raises(MatchError, match="pos_weight holds 2 numbers, and the network has 3 outputs"):
        lnc.LogLoss(Dense(3), check_targets=check, pos_weight=[1, 2])(x, torch.ones(4, 3))
    trainer = lnc.Trainer(
        Dense(3, "softmax"),
        lnc.TrainerConfig(1),
        partial(lnc.CrossEntropy, class_weight=[1, 2]),
        lnc.SGD,
        lnc.Dataset(x, torch.arange(4) % 3),
    )
    with pytest.raises(MatchError, match="class_weight holds 2 numbers"):
        trainer.train()
    assert not trainer.model["linear"].built


def test_complex_targets_lose_nothing_silently():
    for loss in (lnc.LogLoss(Dense(1)), lnc.MSE(Dense(1)), lnc.CrossEntropy(Dense(1, "softmax"))):
        with pytest.raises(DataError, match="targets: dtype torch.complex64 holds no real numbers"):
            loss(torch.randn(3, 2), torch.ones(3, 1) * 1j)
