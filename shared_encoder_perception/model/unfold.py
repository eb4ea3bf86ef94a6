# SPDX-License-Identifier: Apache-2.0
"""The network of an exported artifact: its folded weights put back into convolutions and norms.

Export folds every batch norm into the convolution before it. Here each convolution takes the folded
weights, and its batch norm is set up such that it changes nothing: the network answers exactly as
the artifact does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from shared_encoder_perception.artifact.file import NETWORK_KEY, network_config
from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.model.checkpoint import CheckpointError, grown, with_names_of_today
from shared_encoder_perception.model.config import NetworkConfig, config_from_file
from shared_encoder_perception.model.fold_input import first_weights, unfolded
from shared_encoder_perception.model.network import PerceptionNetwork, promised
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec

PREFIX: Final = "network."
"""Of the network's weights in an artifact: ``DeployWrapper`` holds it under that name."""
PROBE: Final = (64, 64)
"""Size of the picture that shows which norm follows which convolution."""


def unfold(
    model: onnx.ModelProto, source: str, config: NetworkConfig | None = None
) -> tuple[PerceptionNetwork, list[Any]]:
    """Build the network of an artifact, in inference mode.

    Args:
        model: What ``export`` wrote.
        source: What to call it in messages.
        config: What an artifact that does not say it was built from: those before 0.3.0.

    Returns:
        The network, and its batch norms, which change nothing.

    Raises:
        CheckpointError: Weights that do not fit the network.
    """
    built_from = _built_from(model, source) or config
    if built_from is None:
        raise CheckpointError(
            f"{source} does not say what its network was built from (metadata key {NETWORK_KEY!r}):"
            " export it again"
        )
    network = PerceptionNetwork(built_from).eval()
    std = network.encoder.std.flatten().numpy()
    folded = with_names_of_today(_folded_weights(model.graph, std))
    modules = dict(network.named_modules())
    convolutions = {n: m for n, m in modules.items() if isinstance(m, nn.Conv2d)}
    lacked = _lacked(network, convolutions.keys() - folded.keys())
    convolutions = {n: m for n, m in convolutions.items() if f"{n}.weight" not in lacked}
    if convolutions.keys() != folded.keys():
        strange = sorted(convolutions.keys() ^ folded.keys())[:3]
        raise CheckpointError(
            f"{source} was not exported from this network: {strange} are in one of them only. "
            "Set `init_network` in the config to what the artifact was built from; encoders with "
            "parallel branches (repvgg) cannot be taken back: use the checkpoint"
        )
    norms = {n: norm for n, norm in _following_norms(network).items() if n in convolutions}
    with torch.no_grad():
        for name, convolution in convolutions.items():
            weight, bias = folded[name]
            if weight.shape != convolution.weight.shape:
                raise CheckpointError(
                    f"{source}: {name} is {tuple(weight.shape)}, this network's is "
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
            elif convolution.bias is not None:  # export leaves one of zeros out
                convolution.bias.zero_() if bias is None else convolution.bias.copy_(bias)
        _take_others(network, norms, lacked, model.graph, source)
    return network, list(norms.values())


def _lacked(network: PerceptionNetwork, missing: Collection[str]) -> set[str]:
    """Return the weights that an artifact of an earlier version lacks: they stay as they begin."""
    later = grown(network)
    return later if any(f"{name}.weight" in later for name in missing) else set()


def _take_others(
    network: PerceptionNetwork,
    norms: dict[str, Any],
    lacked: Collection[str],
    graph: onnx.GraphProto,
    source: str,
) -> None:
    """Take the parameters that belong to no convolution and no norm behind one, by their names.

    Raises:
        CheckpointError: One that the exporter has renamed or folded into something else: a guess
            would give other answers without a word.
    """
    known = [*norms.values(), *(m for m in network.modules() if isinstance(m, nn.Conv2d))]
    taken = {id(parameter) for module in known for parameter in module.parameters()}
    values = {item.name.removeprefix(PREFIX): item for item in graph.initializer}
    values = with_names_of_today(values)
    for name, parameter in network.named_parameters():
        if id(parameter) in taken or name in lacked:
            continue
        array = numpy_helper.to_array(values[name]) if name in values else None
        if array is None or array.shape != tuple(parameter.shape):
            raise CheckpointError(
                f"{source}: {name} cannot be taken back from an exported model: use the checkpoint"
            )
        parameter.copy_(torch.from_numpy(array.copy()))


def _built_from(model: onnx.ModelProto, source: str) -> NetworkConfig | None:
    """What an artifact says its network was built from."""
    try:
        said = network_config(model)
        return None if said is None else config_from_file(said, "the configuration")
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{source} was built from a network that this version does not know ({error}): export "
            "it again, or use the version that made it"
        ) from None


def _folded_weights(
    graph: onnx.GraphProto, std: NDArray[np.float32]
) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Weight and bias of every convolution by its name in the network.

    Args:
        graph: Of the artifact.
        std: (3,) deviation that the network divides pictures by, RGB.
    """
    values, first = {item.name: item for item in graph.initializer}, first_weights(graph)
    found = {}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        arrays = [numpy_helper.to_array(values[name]) for name in node.input[1:]]
        if node.input[1] == first:
            arrays[0] = unfolded(arrays[0], std)
        tensors = [torch.from_numpy(array.copy()) for array in arrays]
        name = node.input[1].removeprefix(PREFIX).removesuffix(".weight")
        found[name] = (tensors[0].float(), tensors[1].float() if len(tensors) > 1 else None)
    return found


def _following_norms(network: PerceptionNetwork) -> dict[str, Any]:
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
    spec = ModelSpec("probe", "0", PROBE, promised(network.config, PROBE))
    probe = blank(spec.input_tensors())
    others = {name: torch.from_numpy(array) for name, array in probe.items()}
    image = others.pop(INPUT_IMAGE)
    with removed_after(hooks), torch.inference_mode():
        network(image, inputs=others)
    return norms


@contextmanager
def removed_after(hooks: list[Any]) -> Iterator[None]:
    """Take hooks off again."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
