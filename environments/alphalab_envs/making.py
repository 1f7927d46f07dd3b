"""Makes a `Setup` of the keywords of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphalab.data.panel.bars import Bars
from alphalab.errors import UnknownNameError
from alphalab_envs.setup import EnvOptions, Setup, SetupOptions


def setup_of(bars: Bars | str, options: EnvOptions) -> Setup:
    """Return the setup of an environment.

    Raises
    ------
    UnknownNameError
        A keyword that no environment has; near names are suggested.
    """
    given: Mapping[str, Any] = options
    for name in given:
        if name not in EnvOptions.__annotations__:
            raise UnknownNameError("keyword", name, EnvOptions.__annotations__)
    own = {name: x for name, x in given.items() if name in SetupOptions.__annotations__}
    run: Any = {name: x for name, x in given.items() if name not in own}
    return Setup(bars, run, **own)
