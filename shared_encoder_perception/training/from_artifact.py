"""An exported artifact back into a network that can be trained on: fine-tune what was shipped.

Export folds every batch norm into the convolution before it. Here each convolution takes the folded
weights, and its batch norm is set up such that it changes nothing: the network answers exactly as
the artifact does. Then the norms get back statistics of their own, measured on a few pictures, and
scales and shifts that undo them: the answers stay, and training finds normalised features again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from shared_encoder_perception.model.checkpoint import CheckpointError
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork

NETWORK_KEY: Final = "shared_encoder_perception.network"
"""Key of the network's configuration in an ONNX file's ``metadata_props``. The scale at which the
encoder sees leaves no trace in the weights: whoever guesses it gets other answers unnoticed."""
PREFIX: Final = "network."
"""Of the network's weights in an artifact: ``DeployWrapper`` holds it under that name."""


def load_artifact(path: Path, config: NetworkConfig, images: Tensor) -> PerceptionNetwork:
    """Build the network of an artifact, in inference mode.

    Args:
        path: The ``.onnx`` file that ``export`` wrote.
        config: What an artifact that does not say it was built from: those before 0.3.0.
        images: uint8 (N, H, W, 3) BGR, a few dozen pictures like those to be trained on.

    Raises:
        CheckpointError: No ONNX file, or one whose weights do not fit its network.
    """
    model = _read(path)
    network = PerceptionNetwork(_built_from(model, path) or config).eval()
    folded = _folded_weights(model.graph)
    modules = dict(network.named_modules())
    convolutions = {n: m for n, m in modules.items() if isinstance(m, nn.Conv2d)}
    if convolutions.keys() != folded.keys():
        strange = sorted(convolutions.keys() ^ folded.keys())[:3]
        raise CheckpointError(
            f"{path} was not exported from this network: {strange} are in one of them only. "
            "Set `init_network` in the config to what the artifact was built from; encoders with "
            "parallel branches (repvgg) cannot be taken back"
        )
    norms = _following_norms(network, images[:1])
    with torch.no_grad():
        for name, convolution in convolutions.items():
            weight, bias = folded[name]
            if weight.shape != convolution.weight.shape:
                raise CheckpointError(
                    f"{path}: {name} is {tuple(weight.shape)}, this network's is "
                    f"{tuple(convolution.weight.shape)}: set `init_network` in the config to what "
                    "the artifact was built from"
                )
            convolution.weight.copy_(weight)
            norm = norms.get(name)
            if norm is not None:
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0 - norm.eps)
                norm.weight.fill_(1.0)
                norm.bias.zero_() if bias is None else norm.bias.copy_(bias)
            elif convolution.bias is not None and bias is not None:
                convolution.bias.copy_(bias)
        _measure_statistics(network, list(norms.values()), images)
    return network


def _read(path: Path) -> onnx.ModelProto:
    """Read an ONNX file."""
    try:
        return onnx.load(path)
    except Exception as error:  # a missing file, or whatever protobuf makes of a foreign one
        raise CheckpointError(f"cannot read the artifact {path}: {error}") from None


def _built_from(model: onnx.ModelProto, path: Path) -> NetworkConfig | None:
    """What an artifact says its network was built from."""
    said = {entry.key: entry.value for entry in model.metadata_props}.get(NETWORK_KEY)
    if said is None:
        return None
    try:
        return NetworkConfig(**{**json.loads(said), "pretrained": False})
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} was built from a network that this version does not know ({error}): export it "
            "again, or use the version that made it"
        ) from None


def _folded_weights(graph: onnx.GraphProto) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Weight and bias of every convolution by its name in the network."""
    values = {item.name: item for item in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        arrays = [numpy_helper.to_array(values[name]) for name in node.input[1:]]
        tensors = [torch.from_numpy(array.copy()) for array in arrays]
        name = node.input[1].removeprefix(PREFIX).removesuffix(".weight")
        found[name] = (tensors[0].float(), tensors[1].float() if len(tensors) > 1 else None)
    return found


def _following_norms(network: nn.Module, image: Tensor) -> dict[str, Any]:
    """Which batch norm takes which convolution's output, by the convolution's name."""
    owner: dict[int, str] = {}
    alive: list[Tensor] = []  # an address is an identity only as long as nobody else gets it
    norms: dict[str, Any] = {}

    def after_convolution(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            owner[id(output)] = name
            alive.append(output)

        return hook

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        name = owner.get(id(inputs[0]))
        if name is not None:
            norms[name] = module

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(after_convolution(name)))
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            hooks.append(module.register_forward_pre_hook(before_norm))
    with _removed_after(hooks), torch.inference_mode():
        network(image)
    return norms


def _measure_statistics(network: nn.Module, norms: list[Any], images: Tensor) -> None:
    """Give every norm its input's mean and variance, and the scale and shift that undo them."""
    moments: dict[int, list[tuple[Tensor, Tensor]]] = {id(norm): [] for norm in norms}

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        feature = inputs[0]
        moments[id(module)].append((feature.mean((0, 2, 3)), feature.square().mean((0, 2, 3))))

    hooks = [norm.register_forward_pre_hook(before_norm) for norm in norms]
    with _removed_after(hooks):
        for few in images.split(4):
            network(few)
    for norm in norms:
        seen = zip(*moments[id(norm)], strict=True)
        mean, square = (torch.stack(values).mean(dim=0) for values in seen)
        variance = (square - mean.square()).clamp(min=1e-4)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.bias.add_(mean)
        norm.weight.copy_((variance + norm.eps).sqrt())


@contextmanager
def _removed_after(hooks: list[Any]) -> Iterator[None]:
    """Take hooks off again."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
