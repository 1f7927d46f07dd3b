"""Checkpoints: all that the next stage of a training depends on, in one file without pickles.

A stage begins with new episodes and generators that are seeded by the seed and the stage, so no
environment and no generator is part of a checkpoint. It holds networks, optimisers, the moments of
the normaliser, the replay buffer, and the scores so far.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from alphalab.artifact.files import write_file
from alphalab.errors import StateError

_COUNTS = ("num_timesteps", "_n_updates", "_episode_num")
_BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def save(path: Path, model: BaseAlgorithm, task: str, progress: dict[str, Any]) -> None:
    """Write a checkpoint; it appears whole, or not at all.

    Parameters
    ----------
    path : Path
    model : BaseAlgorithm
    task : str
        Identity of what is learned and how.
    progress : dict
        Numbers, text and lists of them.
    """
    state: dict[str, Any] = {"task": task, "progress": progress}
    state["counts"] = {name: getattr(model, name) for name in _COUNTS}
    state["networks"] = model.get_parameters()
    state["tensors"] = {name: _at(model, name).detach() for name in _tensor_names(model)}
    normaliser: Any = model.get_vec_normalize_env()
    if normaliser is not None:
        state["moments"] = [
            [torch.as_tensor(x.mean), torch.as_tensor(x.var), float(x.count)]
            for x in (normaliser.obs_rms, normaliser.ret_rms)
        ]
    if isinstance(model, OffPolicyAlgorithm):
        buffer: Any = model.replay_buffer
        n = buffer.buffer_size if buffer.full else buffer.pos
        state["buffer"] = {name: torch.as_tensor(getattr(buffer, name)[:n]) for name in _BUFFER}
        state["place"] = [buffer.pos, buffer.full]
    content = io.BytesIO()
    torch.save(state, content)
    write_file(path, content.getvalue(), replace=True)


def restore(path: Path, model: BaseAlgorithm, task: str) -> dict[str, Any]:
    """Put a model into the state of a checkpoint; return its progress.

    Raises
    ------
    StateError
        A checkpoint of another environment or of other settings, or a file that is none.
    """
    state = read(path, task)
    for name in _COUNTS:
        setattr(model, name, state["counts"][name])
    model.set_parameters(state["networks"], exact_match=True, device="cpu")
    with torch.no_grad():
        for name, values in state["tensors"].items():
            _at(model, name).copy_(values)
    normaliser: Any = model.get_vec_normalize_env()
    if normaliser is not None:
        moments = state["moments"]
        for seen, (mean, var, count) in zip(
            (normaliser.obs_rms, normaliser.ret_rms), moments, strict=True
        ):
            seen.mean, seen.var, seen.count = mean.numpy().copy(), var.numpy().copy(), count
    if isinstance(model, OffPolicyAlgorithm):
        buffer: Any = model.replay_buffer
        for name, values in state["buffer"].items():
            getattr(buffer, name)[: len(values)] = values.numpy()
        buffer.pos, buffer.full = state["place"]
    progress: dict[str, Any] = state["progress"]
    return progress


def read(path: Path, task: str) -> dict[str, Any]:
    """Return the content of a checkpoint; nothing in it runs when it is read.

    Raises
    ------
    StateError
        As `restore`.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        found = state["task"]
    except Exception as error:  # a damaged file fails in many ways
        raise StateError(
            f"{path} is no checkpoint: {type(error).__name__}",
            rule="a training goes on from the file that it wrote.",
            fix="Remove it, or train in another folder.",
        ) from None
    if found != task:
        raise StateError(
            f"{path} is a checkpoint of {found[:12]}, this is {task[:12]}",
            rule="a training goes on with the environment and the settings that it began with.",
            fix="Train in another folder.",
        )
    return state


def _tensor_names(model: BaseAlgorithm) -> list[str]:
    """Return the names of tensors outside of the networks, such as the entropy of SAC."""
    _, names = model._get_torch_save_params()
    return [name for name in names if getattr(model, name, None) is not None]


def _at(model: Any, name: str) -> torch.Tensor:
    found: torch.Tensor = getattr(model, name)
    return found
