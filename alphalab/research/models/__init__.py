"""Models that are fitted forward: regimes, changes, forecasts, and reports of what they said.

Every public name of the room is here; its module is imported when the name is first used.

Examples
--------
>>> from alphalab.research import models
>>> models.GaussianHmm(n_states=3).n_states
3
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What type checkers and editors see. `_PUBLIC` is what runs; a test holds the two together.
    from alphalab.research.models.change_points import ChangePoints as ChangePoints
    from alphalab.research.models.forecasts import Forecasts as Forecasts
    from alphalab.research.models.forecasts import compare_forecasts as compare_forecasts
    from alphalab.research.models.forward import Forward as Forward
    from alphalab.research.models.hidden_markov import GaussianHmm as GaussianHmm
    from alphalab.research.models.markov_switching import MarkovSwitching as MarkovSwitching
    from alphalab.research.models.regimes import Regimes as Regimes

_PUBLIC = {
    "change_points": "ChangePoints",
    "forecasts": "Forecasts compare_forecasts",
    "forward": "Forward",
    "hidden_markov": "GaussianHmm",
    "markov_switching": "MarkovSwitching",
    "regimes": "Regimes",
}
_HOME = {name: f"{__name__}.{home}" for home, names in _PUBLIC.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name where it lives."""
    if name not in _HOME:
        raise AttributeError(f"module 'alphalab.models' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
