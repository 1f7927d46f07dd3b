"""Registers the environments with Gymnasium."""

from __future__ import annotations

import gymnasium as gym


def register_envs() -> None:
    """Register the environments, once."""
    for name in ("Trading", "Portfolio"):
        if f"alphalab/{name}-v0" not in gym.registry:
            module = f"alphalab_envs.{name.lower()}"
            gym.register(
                id=f"alphalab/{name}-v0",
                entry_point=f"{module}:{name}Env",
                vector_entry_point=f"{module}:{name}VectorEnv",
            )
