"""Checks of a run before its first row: assets, currencies, constant weights, names."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from alphalab.config import RunSettings
from alphalab.core.rules import foreign, quote_currency, start_equity
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import group_codes
from alphalab.kernels.market.books import ROUNDING
from alphalab.settings import LEAST_MULTIPLIER, MOST_UNIT
from alphalab.types import Instrument


def check_assets(
    instruments: Sequence[Instrument], settings: RunSettings, capacity: int | None
) -> None:
    """Refuse no assets, a repeated symbol, or a currency without a conversion column."""
    symbols = [instrument.symbol for instrument in instruments]
    if not symbols or (capacity is not None and capacity < 1):
        raise ParameterError(
            f"Engine with {len(symbols)} instruments and capacity={capacity}",
            rule="there is at least one asset, and a block holds at least one row.",
        )
    if twice := sorted({symbol for symbol in symbols if symbols.count(symbol) > 1}):
        raise ParameterError(f"Engine: {twice[0]!r} twice", rule="each symbol occurs once.")
    for instrument in instruments:
        _check_numbers(instrument)
    currencies = sorted({instrument.currency for instrument in instruments})
    if settings.currency is None and len(currencies) > 1:
        raise ParameterError(
            f"Engine with assets in {', '.join(currencies)}",
            rule="assets in several currencies need currency=, the currency of the account.",
            fix=f"Set currency={currencies[0]!r} and conversions for the others.",
        )
    quote = quote_currency(settings, instruments)
    for symbol, column in foreign(settings, instruments).items():
        if not column:
            instrument = next(x for x in instruments if x.symbol == symbol)
            raise ParameterError(
                f"Engine: {symbol!r} is in {instrument.currency}, the account in {quote}",
                rule="every other currency has a column of conversion rates.",
                fix=f"Set conversions={{{instrument.currency!r}: 'name of the column'}}.",
            )
    _check_holdings(instruments, settings)


def _check_holdings(instruments: Sequence[Instrument], settings: RunSettings) -> None:
    """Refuse holdings of unknown assets or in other currencies, and an account that begins at 0."""
    known = {instrument.symbol: instrument for instrument in instruments}
    abroad = foreign(settings, instruments)
    if settings.holdings and settings.exits is not None and settings.exits.distances:
        name = next(iter(settings.exits.distances))
        raise ParameterError(
            f"holdings with Exits({name}=...)",
            rule="the exits of a holding are placed before the first row, when no expression has "
            "a value.",
            fix="Use stop_loss, take_profit or trailing, or buy the asset in the first row.",
        )
    for symbol in settings.holdings:
        if symbol not in known:
            raise UnknownNameError("symbol", symbol, known)
        if symbol in abroad:
            raise ParameterError(
                f"holdings of {symbol!r}, which is in {known[symbol].currency}",
                rule="what is held before the first row is in the currency of the account.",
                fix="Run an account in that currency, or buy the asset in the first row.",
            )
    equity = start_equity(settings, instruments)
    if not equity > 0:
        raise ParameterError(
            f"cash={settings.cash:g} and holdings are worth {equity:g} together",
            rule="the equity at the start is above 0.",
        )


def _check_numbers(instrument: Instrument) -> None:
    """Refuse steps, values and multipliers whose products with prices a float does not hold."""
    for name in ("tick", "lot", "min_value", "multiplier"):
        value = getattr(instrument, name)
        least = LEAST_MULTIPLIER if name == "multiplier" else 0.0
        if not least <= value <= MOST_UNIT:
            raise ParameterError(
                f"Engine: {instrument.symbol!r} with {name}={value:g}",
                rule=f"{name} lies between {least:g} and {MOST_UNIT:g}.",
            )


def check_weights(
    name: str,
    expressions: Mapping[str, Expr],
    gross_limit: float,
    instruments: Sequence[Instrument],
) -> None:
    """Refuse constant weights whose gross exposure is above the limit.

    Weights that are above the limit in some rows only are scaled down by the gate.
    """
    expr = expressions["weights"]
    gross = max((abs(value) for value in _written(expr) if math.isfinite(value)), default=0.0)
    held = "of one asset"
    if expr.op == "constant":
        gross *= len(instruments)
        held = f"over {len(instruments)} assets"
    elif expr.op == "per_symbol" and all(arg.op == "constant" for arg in expr.args):
        gross = sum(abs(arg.params[0]) for arg in expr.args if math.isfinite(arg.params[0]))
        held = f"over {len(expr.args)} assets"
    if gross > gross_limit * (1 + ROUNDING):
        raise ParameterError(
            f"{name}: the weights {expr} have a gross exposure of {gross:g} {held}",
            rule=f"the gross limit is {gross_limit:g}.",
            fix="Lower the weights; al.cs_scale divides the limit among the assets.",
        )


def check_names(
    expressions: Mapping[str, Expr], instruments: Sequence[Instrument], columns: Collection[str]
) -> None:
    """Refuse expressions that name a column, a symbol or a group that does not exist."""
    symbols = [instrument.symbol for instrument in instruments]
    for node in (node for expr in expressions.values() for node in expr.walk()):
        if node.op == "column" and node.params[0] not in columns:
            raise UnknownNameError("column", node.params[0], columns)
        if node.op in ("of", "per_symbol"):
            for symbol in node.params:
                if symbol not in symbols:
                    raise UnknownNameError("symbol", symbol, symbols)
        if node.op == "group":
            group_codes(instruments, node.params[0])


def _written(expr: Expr) -> list[float]:
    """Return the constants that an expression may evaluate to."""
    match expr.op:
        case "constant":
            return [expr.params[0]]
        case "where":
            return _written(expr.args[1]) + _written(expr.args[2])
        case "fill_nan":
            return [expr.params[0], *_written(expr.args[0])]
        case "per_symbol":
            return [value for arg in expr.args for value in _written(arg)]
    return []
