"""What a checkpoint says of a run, beside its network: callbacks, history and numbers, written and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

from torch import Tensor

from lincoln._util.settings import AT_LEAST_ONE, FLAG, NON_NEGATIVE, WHOLE, Rule, instance_of, real, setting
from lincoln.checkpoint.values import Packer, Unpacker, Unwritable
from lincoln.errors import CheckpointError, MatchError
from lincoln.training.history import TrainerRunResult
from lincoln.training.random import check_random_state
from lincoln.training.state import POSITION, RunState
from lincoln.training.weights import Weights

Groups = Mapping[str, Mapping[str, Tensor]]
MOST_WORDS = 16_000_000
"""Characters of JSON that a callback may remember; its tensors, arrays and long lists of numbers are not counted."""

MOST_AGAIN = 2**20
"""Bytes of a list that only grows, up to which each checkpoint holds all of it and needs no file beside it."""

_WORDS = instance_of(str, "text")
_NUMBER = Rule("a number", real)
_NUMBERS = Rule("numbers", lambda values: [real(value) for value in values])
_PAIR = Rule("two numbers", lambda values: tuple(map(real, values)), lambda values: len(values) == 2)
_PAIRS = Rule("pairs of an epoch and a number", lambda rows: [(WHOLE.plain(epoch), real(value)) for epoch, value in rows])


def _named(rule: Rule) -> Rule:
    """Return the rule that a setting is a table of names to what `rule` says."""
    return Rule(f"{rule.expected} by name", lambda table: {_name(name): rule.plain(part) for name, part in table.items()})


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError
    return str(name)


_POSITION = {
    "epoch": WHOLE,
    "batch": WHOLE,
    "in_epoch": FLAG,
    "stopped": _WORDS,
    "epoch_from": _PAIR,
    "base_lr": NON_NEGATIVE,
}
_HISTORY = {
    **dict.fromkeys(("losses", "val_losses", "val_metrics", "learning_rates"), _NUMBERS),
    "metrics": _PAIRS,
    **dict.fromkeys(("metric", "stopped"), _WORDS),
    "steps": WHOLE,
    "seconds": NON_NEGATIVE,
    "other_metrics": _named(_PAIRS),
    "other_val_metrics": _named(_NUMBERS),
    "watch": _WORDS,
    "higher_is_better": FLAG,
}
_SINCE_WATCH = {"other_metrics": {}, "other_val_metrics": {}, "watch": "loss", "higher_is_better": False}
"""Fields of the history that older files do not have."""
_SETTINGS = {"train_minibatch_size": AT_LEAST_ONE, "accumulate": AT_LEAST_ONE, "shuffle_minibatches": FLAG}
_BEST = {"loss": _NUMBER, "mark": _NUMBER, "epochs_since": WHOLE}


class Remembering(Protocol):
    """Anything that returns what it must remember."""

    def state_dict(self) -> dict[str, Any]: ...


class _Growing(NamedTuple):
    """A list of tensors that is written beside the checkpoint."""

    name: str


class Memory(NamedTuple):
    """What callbacks remember: names and states as plain data, the tensors in them, and the lists that only grow."""

    plain: list[Any]
    tensors: dict[str, Tensor]
    growing: dict[str, list[Tensor]]


class Saved(NamedTuple):
    """The plain data of a run, as plain Python values of the right kinds."""

    position: dict[str, Any]
    optimizer: dict[str, Any]
    tally: list[float]
    history: TrainerRunResult
    callbacks: list[tuple[str, dict[str, Any]]]


def remembered(callbacks: Sequence[Remembering]) -> Memory:
    """Return what the callbacks remember. Raises CheckpointError for what has no form in a file."""
    memory = Memory([], {}, {})
    packer = Packer(
        memory.tensors, lambda value, depth: {"growing": value.name} if type(value) is _Growing else NotImplemented
    )
    for number, callback in enumerate(callbacks):
        title, state = type(callback).__name__, callback.state_dict()
        for key in getattr(callback, "growing", ()):
            if _is_long(state.get(key)):
                memory.growing[f"{number}.{key}"] = state[key]
                state = state | {key: _Growing(f"{number}.{key}")}
        try:
            form = packer.pack(state)
        except Unwritable as error:
            raise CheckpointError(
                f"{title}.state_dict(){error.where:.120} is of type {error!s:.80}, which a checkpoint cannot hold; "
                f"expected numbers, words, None, tensors, arrays, and lists, tuples or dicts of them"
            ) from error
        words = len(json.dumps(form))
        if words > MOST_WORDS:
            raise CheckpointError(
                f"{title}.state_dict() comes to {words:,} characters, which each checkpoint would write again; expected at "
                f"most {MOST_WORDS:,}: keep numbers in a tensor"
            )
        memory.plain.append([title, form])
    return memory


def _is_long(rows: Any) -> bool:
    """Return True for tensors of one shape that are more than a checkpoint should write again each time."""
    if not (type(rows) is list and rows and isinstance(rows[0], Tensor) and rows[0].nbytes * len(rows) > MOST_AGAIN):
        return False
    kind = rows[0].shape, rows[0].dtype
    return all(isinstance(row, Tensor) and (row.shape, row.dtype) == kind for row in rows)


def packed_history(run: RunState) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the history of a run as plain data, and its long lists as tensors."""
    tensors: dict[str, Tensor] = {}
    packer = Packer(tensors)
    fields = run.history.to_dict() | {"seconds": run.seconds}
    return {name: packer.pack(setting("history", name, value, _HISTORY[name])) for name, value in fields.items()}, tensors


def plain_numbers(state: Mapping[str, float]) -> dict[str, float]:
    """Return the state of a schedule as plain Python numbers."""
    return {name: value if isinstance(value, int) else real(value) for name, value in state.items()}


def read_saved(state: Mapping[str, Any], groups: Groups) -> Saved:
    """Return the plain data of a run. Raises an error of any kind for what `resume.capture` does not write."""
    packed = "encoding" in state
    raw = state["history"]
    if packed:
        unpacker = Unpacker(groups.get("history", {}), _no_other)
        raw = {name: unpacker.unpack(form) for name, form in raw.items()}
    callbacks = [(name, form) for name, form in state["callbacks"]]
    if packed:
        growing = dict(groups.get("growing", {}))
        unpacker = Unpacker(groups.get("callbacks", {}), lambda form, depth: _rows_of(form, growing))
        callbacks = [(name, unpacker.unpack(form)) for name, form in callbacks]
    position = {name: state["position"][name] for name in POSITION}
    _each(state["best"], _BEST)
    _each(state["settings"], _SETTINGS)
    total, weight, examples = state["tally"]
    check_random_state(groups.get("random", {}))
    if position["in_epoch"]:
        check_random_state(groups.get("epoch_random", {}))
    return Saved(
        _each(position, _POSITION),
        _each({name: state["optimizer"][name] for name in ("steps", "lr")}, {"steps": WHOLE, "lr": NON_NEGATIVE}),
        [real(total), real(weight), WHOLE.plain(examples)],
        TrainerRunResult.from_dict(_each(_SINCE_WATCH | raw, _HISTORY)),
        callbacks,
    )


def refuse_other_dtypes(groups: Groups, description: Mapping[str, Any]) -> None:
    """Raise MatchError unless what optimizer and early stopping keep has the dtype of the network's parameters."""
    dtypes = {groups["network"][name].dtype for name, (kind, _) in description["tensors"].items() if kind == "parameter"}
    kept = {f"optimizer/{name}": tensor for name, tensor in groups.get("optimizer", {}).items()}
    kept |= {"best/weights": groups["best"]["weights"]} if "weights" in groups.get("best", {}) else {}
    for name, tensor in kept.items():
        if {tensor.dtype} != dtypes:
            raise MatchError(f"{name:.80} is {tensor.dtype}, and the network's parameters are not")


def best_weights(groups: Groups, description: Mapping[str, Any], size: int) -> Weights | None:
    """Return the weights of the best epoch, if there are any. Raises MatchError unless they fit the network."""
    network, weights = groups["network"], Weights.from_tensors(dict(groups.get("best", {})))
    if weights is None:
        return None
    if weights.values.shape != (size,):
        raise MatchError(f"best/weights has shape {tuple(weights.values.shape)}, expected ({size},)")
    for name, value in weights.buffers.items():
        if description["tensors"].get(name, [None])[0] != "buffer" or value.dtype != network[name].dtype:
            raise MatchError(f"best/buffers/{name:.80} is no buffer of the network")
    return weights


def _each(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Return plain values. Raises ArgumentError for one that breaks its rule, KeyError unless they are those of `rules`."""
    if values.keys() != rules.keys():
        raise KeyError(f"{sorted(values)!s:.200}; expected {sorted(rules)}")
    return {name: setting("checkpoint", name, values[name], rule) for name, rule in rules.items()}


def _rows_of(form: dict[str, Any], growing: dict[str, Tensor]) -> list[Tensor]:
    if form.keys() != {"growing"}:
        _no_other(form, 0)
    return [row.clone() for row in growing.pop(form["growing"])]


def _no_other(form: dict[str, Any], depth: int) -> NoReturn:
    raise ValueError(f"{form!r:.80} is not as a checkpoint writes it")
