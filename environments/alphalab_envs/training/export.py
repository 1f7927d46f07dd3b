"""From a trained model to a policy file: normaliser, network and scaling in one ONNX graph.

The graph is written node by node from the layers of the network, which are dense layers with tanh
or ReLU between them. It repeats the arithmetic of Stable-Baselines3 and of `alphalab_envs.actions`,
with the same types: normalised in float64, the network in float32, weights in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from alphalab.errors import ParameterError, import_extra
from alphalab.expr.policy_file import (
    DESCRIPTION,
    INPUT,
    OUTPUT,
    PolicyDescription,
    PolicyFile,
)
from alphalab_envs.actions import Actions, Positions, Weights
from alphalab_envs.setup import Setup

OPSET, IR_VERSION = 17, 8  # read by every onnxruntime since 1.13
_FLOAT, _DOUBLE = 1, 11  # types of ONNX


def export(
    model: BaseAlgorithm, setup: Setup, actions: Actions, training: dict[str, str] | None = None
) -> PolicyFile:
    """Return the policy of a trained model, checked by running it.

    Parameters
    ----------
    model : BaseAlgorithm
        PPO, A2C, SAC, DDPG or TD3 of Stable-Baselines3 with an ``MlpPolicy``. The statistics of a
        `VecNormalize` around its environments go into the graph.
    setup : Setup
        Of the environments; they show of the account nothing, or ``asked``.
    actions : Actions
        Of the environments.
    training : dict of str to str, optional
        Notes on how it was made.

    Returns
    -------
    PolicyFile
        Its `content` are the bytes of the file.

    Raises
    ------
    ParameterError
        A network of other layers, or an observation that shows more of the account.
    """
    if setup.account not in ((), ("asked",)):
        raise ParameterError(
            f"a policy that sees {', '.join(setup.account)} of the account",
            rule="a policy in a strategy sees features, and the weights that it asked for last.",
            fix='Make its environments with account=("asked",) or account=().',
        )
    described = PolicyDescription(
        features={name: str(expr) for name, expr in setup.features.items()},
        window=setup.window,
        symbols=setup.bars.symbols,
        shows_asked=bool(setup.account),
        training=training or {},
    )
    graph = _Graph(described)
    value = graph.normalised(model.get_vec_normalize_env())
    value = graph.network(value, list(_layers(model)))
    graph.asked(value, actions)
    policy = PolicyFile(graph.content(described))
    described = msgspec.structs.replace(described, probe=policy.probe())
    return PolicyFile(graph.content(described))


def _layers(model: Any) -> Iterator[nn.Module]:
    """Yield the layers from the observation to the action of a model that acts without noise."""
    policy = model.policy
    if hasattr(policy, "action_net"):  # PPO, A2C
        yield from policy.mlp_extractor.policy_net
        yield policy.action_net
    elif hasattr(policy.actor, "latent_pi"):  # SAC: the mean of its Gaussian, squashed
        yield from policy.actor.latent_pi
        yield policy.actor.mu
        yield nn.Tanh()
    else:  # DDPG, TD3
        yield from policy.actor.mu


class _Graph:
    """Writes the nodes of a graph in their order."""

    def __init__(self, described: PolicyDescription) -> None:
        self.onnx: Any = import_extra("onnx", "rl")
        self.helper, self.n = self.onnx.helper, 0
        self.size, self.n_assets = described.size, len(described.symbols)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        self.n += 1
        name = f"v{self.n}"
        self.nodes.append(self.helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any) -> str:
        """Add a constant; return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def normalised(self, normaliser: VecNormalize | None) -> str:
        """Add what `VecNormalize.normalize_obs` computes."""
        if normaliser is None or not normaliser.norm_obs:
            return INPUT
        seen: Any = normaliser.obs_rms
        scale = np.sqrt(seen.var + normaliser.epsilon)
        value = self.add("Cast", INPUT, to=_DOUBLE)
        value = self.add("Sub", value, self.constant(seen.mean))
        value = self.add("Div", value, self.constant(scale))
        bounds = np.float64(-normaliser.clip_obs), np.float64(normaliser.clip_obs)
        value = self.add("Clip", value, *map(self.constant, bounds))
        return self.add("Cast", value, to=_FLOAT)

    def network(self, value: str, layers: list[nn.Module]) -> str:
        """Add the layers of a network."""
        for layer in layers:
            if isinstance(layer, nn.Linear):
                weight, bias = (x.detach().cpu().numpy() for x in (layer.weight, layer.bias))
                value = self.add("Gemm", value, *map(self.constant, (weight, bias)), transB=1)
            elif isinstance(layer, nn.Tanh | nn.ReLU):
                value = self.add(type(layer).__name__.replace("ReLU", "Relu"), value)
            else:
                raise ParameterError(
                    f"a network with the layer {type(layer).__name__}",
                    rule="a policy is exported from dense layers with tanh or ReLU.",
                    fix='Train an "MlpPolicy".',
                )
        return value

    def asked(self, value: str, actions: Actions) -> None:
        """Add what the action means: the output."""
        if isinstance(actions, Positions):
            place = self.add("ArgMax", value, axis=1, keepdims=1)
            value = self.add("Gather", self.constant(actions.weights), place)
        elif isinstance(actions, Weights):
            bounds = self.constant(np.float32(-1.0)), self.constant(np.float32(1.0))
            value = self.add("Cast", self.add("Clip", value, *bounds), to=_DOUBLE)
            value = self.add("Add", value, self.constant(np.float64(1.0)))
            value = self.add("Mul", value, self.constant(np.float64(actions.half)))
            value = self.add("Add", value, self.constant(np.float64(actions.low)))
        else:
            raise ParameterError(
                f"actions of type {type(actions).__name__}",
                rule="a policy asks for positions or for weights.",
            )
        self.nodes.append(self.helper.make_node("Identity", [value], [OUTPUT]))

    def content(self, described: PolicyDescription) -> bytes:
        """Return the file."""
        make = self.helper.make_tensor_value_info
        graph = self.helper.make_graph(
            self.nodes,
            "policy",
            [make(INPUT, _FLOAT, [1, self.size])],
            [make(OUTPUT, _DOUBLE, [1, self.n_assets])],
            self.constants,
        )
        opsets = [self.helper.make_opsetid("", OPSET)]
        file = self.helper.make_model(
            graph, producer_name="alphalab", opset_imports=opsets, ir_version=IR_VERSION
        )
        # Order matters: the features are read in it.
        text = msgspec.json.encode(described).decode()
        self.helper.set_model_props(file, {DESCRIPTION: text})
        content: bytes = file.SerializeToString(deterministic=True)
        return content
