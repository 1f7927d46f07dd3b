"""How much of a result hangs on what is not known: the path inside a bar, and the fee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from alphalab.config import RunSettings
from alphalab.errors import StateError
from alphalab.research.results import order_lives as orders

if TYPE_CHECKING:
    from alphalab.research.results.result import Result

Path = Literal["pessimistic", "ohlc", "optimistic"]

#: Every path, from the worst to the best.
PATHS: tuple[Path, ...] = get_args(Path)

#: Width of what the break-even fee is known to, basis points.
TOLERANCE_BPS = 0.01

#: The largest fee that is tried, basis points.
MOST_BPS = 9_999.0


def depends_on_path(result: Result) -> bool:
    """Tell whether another path inside the bars could have given another result.

    It could where an order was no market order, or where a margin account held something: the
    pessimistic path liquidates inside the bar. Otherwise all paths give the same, bit for bit.
    """
    held_on_margin = result.settings.margin is not None and result.fills.size > 0
    return held_on_margin or orders.meet_the_inside(result.events)


def figures_by_path(result: Result) -> dict[str, dict[str, float | int]]:
    """Return the metrics under every path, run again where they can differ."""
    if not depends_on_path(result):
        return dict.fromkeys(PATHS, result.metrics)
    settings = result.settings
    figures: dict[Path, dict[str, float | int]] = {settings.execution.path: result.metrics}
    for path in PATHS:
        if path not in figures:
            execution = msgspec.structs.replace(settings.execution, path=path)
            changed = msgspec.structs.replace(settings, execution=execution)
            figures[path] = again(result, changed).metrics
    return {path: figures[path] for path in PATHS}


def break_even_bps(result: Result) -> float:
    """Return the fee at which the run ends with the cash it began with; see `Result`."""
    if not result.fills.size:
        return float("nan")
    free, traded = _profit(result, 0.0)
    if free < 0 or not traded:
        return float("nan")
    low, high = 0.0, min(free / traded * 1e4, MOST_BPS)  # what it gained per value traded
    at_low, at_high = free, _profit(result, high)[0]
    while at_high > 0:
        if high == MOST_BPS:
            return float("inf")
        low, at_low, high = high, at_high, min(2 * high, MOST_BPS)
        at_high = _profit(result, high)[0]
    halve = False
    while high - low > TOLERANCE_BPS:
        width = high - low
        # Where a straight line would have it, or the middle if the last line was a bad guess.
        share = 0.5 if halve else at_low / (at_low - at_high)
        edge = min(0.5, TOLERANCE_BPS / width / 2)
        fee = low + width * min(max(share, edge), 1 - edge)
        at_fee = _profit(result, fee)[0]
        low, at_low, high, at_high = (
            (fee, at_fee, high, at_high) if at_fee > 0 else (low, at_low, fee, at_fee)
        )
        halve = not halve and high - low > width / 2
    return (low + high) / 2


def again(result: Result, settings: RunSettings) -> Result:
    """Run what gave a result once more, with other settings.

    Raises
    ------
    StateError
        A result that was not made by `al.backtest`.
    """
    if result._run is None:
        raise StateError(
            f"{result!r} cannot be run again",
            rule="its strategy is not part of it.",
            fix="Make it with al.backtest(...).",
        )
    return result._run(result.bars, settings, benchmark=result.benchmark)


def _profit(result: Result, fee_bps: float) -> tuple[float, float]:
    """Return profit and traded value with this fee."""
    settings = result.settings
    costs = msgspec.structs.replace(settings.costs, fee_bps=fee_bps, tiers=())
    ledger = again(result, msgspec.structs.replace(settings, costs=costs)).ledger
    return float(ledger["equity"][-1] - settings.cash), float(ledger["turnover"][-1])
