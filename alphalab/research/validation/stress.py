"""Stress: the same strategy with dearer trading, later fills, other starts, other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import msgspec

from alphalab.config import Costs, FeeTier, RunSettings
from alphalab.core.strategy import Strategy
from alphalab.data.panel.history import History
from alphalab.errors import InputError, ParameterError
from alphalab.research.results import metrics
from alphalab.research.results.result import Result
from alphalab.research.results.sensitivity import PATHS
from alphalab.research.results.series import periods_per_year
from alphalab.research.run.backtest import run
from alphalab.types import Instrument

#: Rows of a start that is moved at least, so that something can still be measured.
_FEWEST_ROWS = 20


class Case(NamedTuple):
    """One run of a stress test.

    Attributes
    ----------
    kind : str
        ``costs``, ``delay``, ``path``, ``start`` or ``parameter``.
    label : str
        What differs, such as ``costs x2``.
    strategy : Strategy
    history : History
    settings : RunSettings
    """

    kind: str
    label: str
    strategy: Strategy
    history: History
    settings: RunSettings


class Outcome(NamedTuple):
    """Figures of one case.

    Attributes
    ----------
    kind, label : str
        As in `Case`.
    sharpe : float
        Annualised; NaN where it is not defined.
    total_return, max_drawdown : float
        As fractions.
    """

    kind: str
    label: str
    sharpe: float
    total_return: float
    max_drawdown: float


def stress(cases: Iterable[Case], watch: Callable[[Case], None] | None = None) -> list[Outcome]:
    """Run the cases in order; `watch` is called before each.

    Examples
    --------
    >>> import alphalab as al
    >>> from alphalab.artifact.loading import load_strategy
    >>> settings = al.RunSettings(costs=al.Costs(fee_bps=5))
    >>> cases = cost_cases(load_strategy("sma_cross")(), History(al.load("sp500")), settings)
    >>> [(found.label, round(found.sharpe, 2)) for found in stress(cases)]
    [('costs x2', 0.18), ('costs x3', 0.14)]
    """
    found = []
    for case in cases:
        if watch is not None:
            watch(case)
        found.append(outcome_of(case, run(case.strategy, case.history, case.settings)))
    return found


def outcome_of(case: Case, result: Result) -> Outcome:
    """Return the figures of a case from its run."""
    year = periods_per_year(case.history.traded)
    return Outcome(
        case.kind,
        case.label,
        metrics.sharpe(result.row_returns, year),
        metrics.total_return(result.equity_path),
        metrics.max_drawdown(result.equity_path),
    )


def all_cases(strategy: Strategy, history: History, settings: RunSettings) -> Iterator[Case]:
    """Yield the cases of every kind."""
    given = strategy, history, settings
    return chain(setting_cases(*given), parameter_cases(*given))


def setting_cases(strategy: Strategy, history: History, settings: RunSettings) -> Iterator[Case]:
    """Yield the cases of every kind but the parameters: the strategy stays as it is."""
    given = strategy, history, settings
    return chain(cost_cases(*given), delay_cases(*given), path_cases(*given), start_cases(*given))


def cost_cases(
    strategy: Strategy, history: History, settings: RunSettings, factors: Iterable[float] = (2, 3)
) -> Iterator[Case]:
    """Yield runs in which all that trading costs is multiplied."""
    for factor in factors:
        changed = msgspec.structs.replace(settings, costs=scaled_costs(settings.costs, factor))
        yield Case("costs", f"costs x{factor:g}", strategy, _dearer(history, factor), changed)


def delay_cases(
    strategy: Strategy, history: History, settings: RunSettings, rows: Iterable[int] = (1, 2)
) -> Iterator[Case]:
    """Yield runs whose orders are on their way for more rows; only fills at the open have any."""
    if settings.fill != "next_open":
        return
    for more in rows:
        delay = settings.execution.delay + more
        execution = msgspec.structs.replace(settings.execution, delay=delay)
        changed = msgspec.structs.replace(settings, execution=execution)
        yield Case("delay", f"delay +{more}", strategy, history, changed)


def path_cases(strategy: Strategy, history: History, settings: RunSettings) -> Iterator[Case]:
    """Yield runs with the other ways that the price may have taken inside the bars."""
    for path in PATHS:
        if path != settings.execution.path:
            execution = msgspec.structs.replace(settings.execution, path=path)
            changed = msgspec.structs.replace(settings, execution=execution)
            yield Case("path", f"{path} path", strategy, history, changed)


def start_cases(
    strategy: Strategy, history: History, settings: RunSettings, n_starts: int = 5
) -> Iterator[Case]:
    """Yield runs that trade later: from so many rows on, evenly spaced over the first half.

    The expressions see the earlier rows.
    """
    n_rows = history.traded.n_rows
    for k in range(1, n_starts + 1):
        row = n_rows * k // (2 * n_starts)
        if row and n_rows - row >= _FEWEST_ROWS:
            later = History(history.bars, history.n_warm + row)
            yield Case("start", f"from {later.traded.start[:10]}", strategy, later, settings)


def parameter_cases(
    strategy: Strategy, history: History, settings: RunSettings, steps: Iterable[float] = (0.1, 0.2)
) -> Iterator[Case]:
    """Yield runs with one numeric parameter moved, up and down, by these shares of its value.

    Whole numbers move by at least 1. Values that the strategy refuses, and parameters that are 0,
    are left out.
    """
    for label, neighbour in neighbours(strategy, steps):
        yield Case("parameter", label, neighbour, history, settings)


def neighbours(
    strategy: Strategy, steps: Iterable[float] = (0.1, 0.2)
) -> Iterator[tuple[str, Strategy]]:
    """Yield the strategies of `parameter_cases`, each with what was moved.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> [label for label, _ in neighbours(load_strategy("sma_cross")(), steps=[0.1])]
    ['fast=9', 'fast=11', 'slow=27', 'slow=33']
    """
    given = msgspec.structs.asdict(strategy)
    seen = {strategy.canonical_json()}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value:
            continue
        for moved in (value_at for step in steps for value_at in _moved(value, step)):
            try:
                neighbour = type(strategy)(**{**given, name: moved})
            except InputError:
                continue
            if neighbour.canonical_json() not in seen:
                seen.add(neighbour.canonical_json())
                yield f"{name}={moved:g}", neighbour


def _moved(value: float, step: float) -> tuple[float, float]:
    """Return a value moved down and up by a share of it; whole numbers by at least 1."""
    if isinstance(value, int):
        by = max(round(abs(value) * step), 1)
        return value - by, value + by
    return value * (1 - step), value * (1 + step)


def scaled_costs(costs: Costs, factor: float) -> Costs:
    """Return costs that are all multiplied; what a maker is paid is divided.

    Raises
    ------
    ParameterError
        A factor below 1, or costs that become 10,000 bps or more.

    Examples
    --------
    >>> from alphalab.config import Costs
    >>> scaled_costs(Costs(fee_bps=10, spread_bps=2), 3).fee_bps
    30.0
    """
    if not factor >= 1:
        raise ParameterError(f"costs x{factor:g}", rule="a stress multiplies costs by 1 or more.")
    names = ("fee_per_unit", "min_fee", "spread_bps", "slippage_bps")
    impacts = ("share_impact_bps", "root_impact_bps")
    changed = {name: getattr(costs, name) * factor for name in (*names, *impacts)}
    tiers = tuple(
        FeeTier(
            value=tier.value,
            maker_bps=_dearer_fee(tier.maker_bps, factor),
            taker_bps=tier.taker_bps * factor,
        )
        for tier in costs.tiers
    )
    fee = None if costs.fee_bps is None else costs.fee_bps * factor
    return Costs(fee_bps=fee, tiers=tiers, **changed)


def _dearer(history: History, factor: float) -> History:
    """Return rows whose instruments have multiplied fees."""
    bars = history.bars

    def dearer(instrument: Instrument) -> Instrument:
        return msgspec.structs.replace(
            instrument,
            maker_bps=_dearer_fee(instrument.maker_bps, factor),
            taker_bps=instrument.taker_bps * factor,
        )

    changes = [
        msgspec.structs.replace(change, instrument=dearer(change.instrument))
        for change in bars.instrument_changes
    ]
    changed = bars.with_instruments([dearer(x) for x in bars.instruments], changes=changes)
    return History(changed, history.n_warm)


def _dearer_fee(bps: float, factor: float) -> float:
    return bps * factor if bps >= 0 else bps / factor
