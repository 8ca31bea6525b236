"""Networks from PyTorch, and networks for PyTorch."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from lincoln.errors import ArgumentError, LincolnError, StateError
from lincoln.layers import Dense, Dropout, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh

_PLAIN: dict[type[nn.Module], type[Layer]] = {nn.Sigmoid: Sigmoid, nn.Tanh: Tanh, nn.ReLU: ReLU, nn.Identity: Identity}
_PLAIN_BACK = {layer: module for module, layer in _PLAIN.items()}


def from_torch(module: nn.Module) -> Layer:
    """The lincoln network that computes what `module` does: W = weight^T (i, o), B = bias as (1, o).

    Converts Linear, Sigmoid, Tanh, ReLU, Softmax over the last dimension, Dropout, Identity, and Sequential with its
    names, at any depth. Parameters are copied, with their dtype and device, and each layer is in the mode (train or eval)
    of its module; `requires_grad` is not carried over. ArgumentError, naming the place, for what has no counterpart, for
    hooks and for tied weights.
    """
    if not isinstance(module, nn.Module):
        hint = "; it is a lincoln network already" if isinstance(module, Layer) else ""
        raise ArgumentError(f"from_torch: module is {module!r}, expected a torch.nn.Module{hint}")
    network = _layer(module, "")
    _refuse_tied(module)
    network.name_layers()
    return network


def to_torch(network: Layer) -> nn.Module:
    """The `torch.nn` module that computes what `network` does, for autograd to train: weight = W^T (o, i), bias = B (o,).

    Converts what `from_torch` does, and `Dense`, to `nn.Sequential(linear=..., activation=...)`; copies what it copies.
    StateError for a network that has seen no input yet, ArgumentError, naming the place, for a layer that torch has not.
    """
    if not isinstance(network, Layer):
        hint = "; it is a torch module already" if isinstance(network, nn.Module) else ""
        raise ArgumentError(f"to_torch: network is {network!r}, expected a lincoln Layer{hint}")
    with torch.inference_mode(False):  # a parameter made in inference mode could not be trained
        return _module(network, "")


# ---- From torch


def _layer(module: nn.Module, path: str) -> Layer:
    if isinstance(module, nn.LazyLinear):
        raise _refusal("from_torch", module, path, "has no weights yet: run module(features) once, then convert")
    if module._forward_hooks or module._forward_pre_hooks:
        raise _refusal("from_torch", module, path, "has forward hooks, which lincoln cannot run: remove them first")
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        layer = _sequential(module, path)
    elif type(module) is nn.Linear:
        layer = _linear(module)
    elif type(module) is nn.Softmax:
        if module.dim != -1:
            why = f"is over dimension {module.dim}, lincoln's is over the last"
            raise _refusal("from_torch", module, path, f"{why}: where that is the same, write nn.Softmax(dim=-1)")
        layer = Softmax()
    elif type(module) is nn.Dropout and module.p < 1:
        layer = Dropout(module.p)
    elif type(module) in _PLAIN:
        layer = _PLAIN[type(module)]()
    else:
        known = ", ".join(sorted(kind.__name__ for kind in (nn.Dropout, nn.Linear, nn.Sequential, nn.Softmax, *_PLAIN)))
        raise _refusal("from_torch", module, path, f"has no counterpart in lincoln; what can be converted: {known}")
    if not layer.built:
        layer.register({})
    layer.training = module.training
    return layer


def _sequential(module: nn.Sequential, path: str) -> Layer:
    layers = {name: _layer(child, _join(path, name)) for name, child in module._modules.items() if child is not None}
    return Sequential(**layers) if layers else Identity()


def _linear(module: nn.Linear) -> Linear:
    layer = Linear(module.out_features, bias=module.bias is not None)
    parameters = {"W": module.weight.detach().t().contiguous()}
    if layer.bias:
        parameters["B"] = module.bias.detach().unsqueeze(0)
    layer.register(parameters)
    return layer


def _refuse_tied(module: nn.Module) -> None:
    places: dict[int, str] = {}
    for path, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in places:
            raise ArgumentError(
                f"from_torch: '{places[id(parameter)]}' and '{path}' are one tensor, and every lincoln layer has its own: "
                f"untie them first, for instance by copy.deepcopy of one layer"
            )
        places[id(parameter)] = path


# ---- To torch


def _module(layer: Layer, path: str) -> nn.Module:
    module: nn.Module
    if isinstance(layer, Sequential) and type(layer)._forward is Sequential._forward:
        children = OrderedDict((name, _module(child, _join(path, name))) for name, child in layer.children())
        try:
            module = nn.Sequential(children)
        except KeyError as error:
            raise _refusal("to_torch", layer, path, f"has a layer whose name torch refuses, {error}: rename it") from error
    elif type(layer) is Linear:
        if not layer.built:
            why = "has no weights yet: run network(features) once, then convert"
            raise _refusal("to_torch", layer, path, why, StateError)
        module = _torch_linear(layer)
    elif type(layer) is Softmax:
        module = nn.Softmax(dim=-1)
    elif type(layer) is Dropout:
        module = nn.Dropout(layer.rate)
    elif type(layer) in _PLAIN_BACK:
        module = _PLAIN_BACK[type(layer)]()
    else:
        known = ", ".join(sorted(kind.__name__ for kind in (Dense, Dropout, Linear, Sequential, Softmax, *_PLAIN_BACK)))
        raise _refusal("to_torch", layer, path, f"has no counterpart in torch.nn; what can be converted: {known}")
    module.training = layer.training
    return module


def _torch_linear(layer: Linear) -> nn.Module:
    W = layer.W
    i, o = W.shape
    module = nn.Linear(i, o, layer.bias, device="meta", dtype=W.dtype)  # on "meta", where no random numbers are drawn
    module.to_empty(device=W.device)
    state = {"weight": W.t()}
    module.load_state_dict(state | {"bias": layer.B[0]} if layer.B is not None else state)
    return module


# ---- Both


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refusal(
    function: str, layer: nn.Module | Layer, path: str, why: str, kind: type[LincolnError] = ArgumentError
) -> LincolnError:
    place = f" '{path}'" if path else ""
    return kind(f"{function}: {type(layer).__name__}{place} {why}")
