"""The keywords that `backtest`, `sweep` and `walk_forward` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from alphalab.config import (
    Actions,
    Costs,
    Entry,
    Execution,
    Exits,
    Fill,
    Financing,
    Fractions,
    Holding,
    Limits,
    Margin,
    Rebalance,
    RunSettings,
    Sizing,
)
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import UnknownNameError
from alphalab.research.run.setting_names import setting_types, settings_in
from alphalab.types import FloatArray


class RunOptions(TypedDict, total=False):
    """Keywords of `alphalab.research.run.backtest.backtest`, which documents them."""

    cash: float
    costs: Costs | None
    fill: Fill
    limits: Limits | None
    rebalance: Rebalance | None
    exits: Exits | None
    entry: Entry | None
    execution: Execution | None
    margin: Margin | None
    financing: Financing | None
    actions: Actions
    fractions: Fractions
    sizing: Sizing
    currency: str | None
    holdings: Mapping[str, Holding] | None
    conversions: Mapping[str, str] | None


class BacktestOptions(RunOptions, total=False):
    """All keywords of `alphalab.research.run.backtest.backtest`."""

    block_rows: int | None
    benchmark: FloatArray | None
    progress: bool
    quality: OnErrors | QualitySettings
    start: Instant | None


def check_keywords(options: RunOptions) -> None:
    """Refuse a keyword that is not one of `RunOptions`.

    Raises
    ------
    UnknownNameError
        The message suggests near names.
    """
    for name in options:
        if name not in RunOptions.__annotations__:
            raise UnknownNameError("keyword", name, RunOptions.__annotations__, fix=_keyword(name))


def _keyword(name: str) -> str:
    """Return how a setting that is no keyword is given."""
    if name == "settings":
        return "Give the fields of RunSettings as keywords: **msgspec.structs.asdict(settings)."
    for field, hint in setting_types().items():
        table = settings_in(hint)
        if table is not None and name in table.__struct_fields__:
            return f"Write {field}=al.{table.__name__}({name}=...)."
    return ""


def run_fields(strategy: Strategy | type[Strategy], options: RunOptions) -> dict[str, Any]:
    """Return the fields of `RunSettings` that are given, or set by the strategy's class."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name in ("limits", "rebalance", "exits", "entry"):
        if name not in given and getattr(strategy, name) is not None:
            given[name] = getattr(strategy, name)
    return given


def run_settings(strategy: Strategy | type[Strategy], options: RunOptions) -> RunSettings:
    """Return complete settings: from options, else the strategy's class, else defaults.

    Examples
    --------
    >>> class Cautious(Strategy):
    ...     limits = Limits(gross=0.5)
    >>> run_settings(Cautious, {"cash": 1000.0}).gross
    0.5
    """
    check_keywords(options)
    return RunSettings(**run_fields(strategy, options))
