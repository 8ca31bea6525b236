"""Networks converted from `torch.nn` modules, and to them."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from lincoln._util.tensors import inference
from lincoln._util.text import short
from lincoln.errors import ArgumentError, LincolnError, StateError
from lincoln.layers import Dense, Dropout, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh

_PLAIN: dict[type[nn.Module], type[Layer]] = {nn.Sigmoid: Sigmoid, nn.Tanh: Tanh, nn.ReLU: ReLU, nn.Identity: Identity}
_PLAIN_BACK = {layer: module for module, layer in _PLAIN.items()}
_FROM = ", ".join(sorted(kind.__name__ for kind in (nn.Dropout, nn.Linear, nn.Sequential, nn.Softmax, *_PLAIN)))
_TO = ", ".join(sorted(kind.__name__ for kind in (Dense, Dropout, Linear, Sequential, Softmax, *_PLAIN_BACK)))


def from_torch(module: nn.Module) -> Layer:
    """Return the network that computes what `module` does, with W = weight^T (i, o) and B = bias (1, o).

    Converts Linear, Sigmoid, Tanh, ReLU, Softmax over the last dimension, Dropout, Identity, and Sequential with its
    names, at any depth. Parameters are copied, with their dtype and device, and each layer gets the mode (training or
    evaluation) of its module; `requires_grad` is not carried over. Raises ArgumentError, which names the module, for any
    other module, for forward hooks and for tied weights.
    """
    if not isinstance(module, nn.Module):
        hint = "; it is a lincoln network already" if isinstance(module, Layer) else ""
        raise ArgumentError(f"from_torch: module is {short(module)}, expected a torch.nn.Module{hint}")
    network = _layer(module, "")
    _refuse_tied(module)
    network.name_layers()
    return network


def to_torch(network: Layer) -> nn.Module:
    """Return the `torch.nn` module that computes what `network` does, with weight = W^T (o, i) and bias = B (o,).

    Converts the layers that `from_torch` makes, and Dense, to `nn.Sequential(linear=..., activation=...)`. Parameters are
    copied, with their dtype and device, and autograd can train them. Raises StateError for a network that has seen no
    input yet, ArgumentError, which names the layer, for any other layer.
    """
    if not isinstance(network, Layer):
        hint = "; it is a torch module already" if isinstance(network, nn.Module) else ""
        raise ArgumentError(f"to_torch: network is {short(network)}, expected a lincoln Layer{hint}")
    with inference(False):  # autograd cannot train a parameter that was made in inference mode
        return _module(network, "")


def _layer(module: nn.Module, path: str) -> Layer:
    """Return the layer for one module, built and in the module's mode."""
    if isinstance(module, nn.LazyLinear):
        raise _refusal("from_torch", module, path, "has no weights yet: run module(features) once, then convert")
    if module._forward_hooks or module._forward_pre_hooks:  # torch has no public way to ask for hooks
        raise _refusal("from_torch", module, path, "has forward hooks, which lincoln cannot run: remove them first")
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        layer = _sequential(module, path)
    elif type(module) is nn.Linear:
        layer = _linear(module)
    elif type(module) is nn.Softmax:
        layer = _softmax(module, path)
    elif type(module) is nn.Dropout and module.p < 1:
        layer = Dropout(module.p)
    elif type(module) in _PLAIN:
        layer = _PLAIN[type(module)]()
    else:
        raise _refusal("from_torch", module, path, f"has no counterpart in lincoln; what can be converted: {_FROM}")
    if not layer.built:
        layer.register({})
    layer.training = module.training
    return layer


def _sequential(module: nn.Sequential, path: str) -> Layer:
    # named_children() would leave out a module that stands in two places
    parts = [(name, part) for name, part in module.named_modules(remove_duplicate=False) if name and "." not in name]
    layers = {name: _layer(part, _join(path, name)) for name, part in parts}
    return Sequential(**layers) if layers else Identity()


def _linear(module: nn.Linear) -> Linear:
    layer = Linear(module.out_features, bias=module.bias is not None)
    parameters = {"W": module.weight.detach().t().contiguous()}
    if layer.bias:
        parameters["B"] = module.bias.detach().unsqueeze(0)
    layer.register(parameters)
    return layer


def _softmax(module: nn.Softmax, path: str) -> Softmax:
    if module.dim != -1:
        why = f"is over dimension {module.dim}, lincoln's is over the last"
        raise _refusal("from_torch", module, path, f"{why}: if that is the same, write nn.Softmax(dim=-1)")
    return Softmax()


def _refuse_tied(module: nn.Module) -> None:
    """Raise ArgumentError if one parameter is in two places."""
    places: dict[int, str] = {}
    for path, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in places:
            raise ArgumentError(
                f"from_torch: '{places[id(parameter)]}' and '{path}' are one tensor, and every lincoln layer has its own: "
                f"untie them first, for instance by copy.deepcopy of one layer"
            )
        places[id(parameter)] = path


def _module(layer: Layer, path: str) -> nn.Module:
    """Return the module for one layer, in the layer's mode."""
    module: nn.Module
    if isinstance(layer, Sequential) and next(layer.leaves()) is not layer:  # it only runs its layers in order
        module = _torch_sequential(layer, path)
    elif type(layer) is Linear:
        module = _torch_linear(layer, path)
    elif type(layer) is Softmax:
        module = nn.Softmax(dim=-1)
    elif type(layer) is Dropout:
        module = nn.Dropout(layer.rate)
    elif type(layer) in _PLAIN_BACK:
        module = _PLAIN_BACK[type(layer)]()
    else:
        raise _refusal("to_torch", layer, path, f"has no counterpart in torch.nn; what can be converted: {_TO}")
    module.training = layer.training
    return module


def _torch_sequential(layer: Sequential, path: str) -> nn.Module:
    modules = OrderedDict((name, _module(child, _join(path, name))) for name, child in layer.children())
    try:
        return nn.Sequential(modules)
    except KeyError as error:
        raise _refusal("to_torch", layer, path, f"has a layer whose name torch refuses, {error}: rename it") from error


def _torch_linear(layer: Linear, path: str) -> nn.Module:
    if not layer.built:
        why = "has no weights yet: run network(features) once, then convert"
        raise _refusal("to_torch", layer, path, why, StateError)
    W = layer.W
    i, o = W.shape
    module = nn.Linear(i, o, layer.bias, device="meta", dtype=W.dtype)  # "meta": draws no random numbers
    module.to_empty(device=W.device)
    bias = {} if layer.B is None else {"bias": layer.B[0]}
    module.load_state_dict({"weight": W.t()} | bias)
    return module


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refusal(
    function: str, layer: nn.Module | Layer, path: str, why: str, kind: type[LincolnError] = ArgumentError
) -> LincolnError:
    """Return the error that says why a module or layer cannot be converted, and where it stands."""
    place = f" '{path}'" if path else ""
    return kind(f"{function}: {type(layer).__name__}{place} {why}")
