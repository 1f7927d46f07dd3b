"""Worlds in which the truth is known: one in which a factor works, and one in which none does."""

from __future__ import annotations

import numpy as np

from alphalab.data.formats.notes import Note
from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.plan import Plan
from alphalab.expr.text import parse
from alphalab.research.factors.inference import standardised
from alphalab.types import DELISTING, FloatArray, Instrument

_PRICES = ("open", "high", "low", "close")
_DAYS_PER_YEAR = 252
#: Daily volatility of an asset's own return and of the market's; of the gap before the open; and
#: the reach of high and low beyond open and close.
_OWN, _MARKET, _GAP, _REACH = 0.02, 0.01, 0.002, 0.005
#: Largest correlation that can be planted.
_STRONGEST = 0.9


def planted(
    factor: Expr | str,
    strength: float,
    *,
    n_rows: int = 2000,
    n_assets: int = 20,
    seed: int = 0,
) -> Bars:
    """Return daily bars of a market in which a factor is the truth.

    The factor is computed row by row on the bars so far. The return from each next open to the
    next close is drawn with a mean in proportion to the factor, standardised across the assets of
    the row, and everything else is noise.

    Parameters
    ----------
    factor : Expr or str
        Over open, high, low, close, volume and the group ``sector`` (four sectors in turn).
    strength : float in [-0.9, 0.9]
        Correlation of the factor with the return of the next row, across assets: the IC that a
        perfect search finds. 0 is noise.
    n_rows, n_assets : int
        At least 2 each.
    seed : int
        At least 0. Equal arguments give equal bytes.

    Returns
    -------
    Bars
        Symbols ``P0``, ``P1`` ...; business days, 252 rows a year; a note has text and strength.

    Raises
    ------
    ParameterError
        An argument outside its range.
    UnknownNameError, ExprError
        A factor that reads another column or group, or a text that is not an expression.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = planted("-returns(close, 3)", 0.1, n_rows=1000, seed=1)
    >>> truth, other = al.factors.score_factors(["-returns(close, 3)", "volume"], bars)
    >>> round(truth.rank_ic, 2), truth.t > 8, abs(other.t) < 3
    (0.1, True, True)
    """
    expr = parse(factor) if isinstance(factor, str) else factor
    _check(strength, n_rows, n_assets, seed)
    rng = np.random.default_rng(seed)
    instruments = [
        Instrument(symbol=f"P{j}", currency="USD", groups={"sector": f"sector{j % 4}"})
        for j in range(n_assets)
    ]
    plan = Plan({"factor": expr}, instruments, capacity=1)
    columns = {name: np.empty((n_rows, n_assets)) for name in (*_PRICES, "volume")}
    for name in plan.columns:
        if name not in columns:
            raise UnknownNameError("column", name, columns)
    days = np.busday_offset("1990-01-01", np.arange(n_rows), roll="forward")
    time = days.astype("M8[ns]") + np.timedelta64(21, "h")
    close, z = 50.0 * np.exp(0.5 * rng.normal(size=n_assets)), np.zeros(n_assets)
    noise = np.sqrt(1.0 - strength**2)
    for t in range(n_rows):
        start = close * np.exp(_GAP * rng.normal(size=n_assets))
        own = strength * z + noise * rng.normal(size=n_assets)
        close = start * np.exp(_OWN * own + _MARKET * rng.normal())
        reach = np.exp(_REACH * np.abs(rng.normal(size=(2, n_assets))))
        row = {
            "open": start,
            "high": np.maximum(start, close) * reach[0],
            "low": np.minimum(start, close) / reach[1],
            "close": close,
            "volume": np.exp(12.0 + 0.5 * rng.normal(size=n_assets)),
        }
        for name, values in row.items():
            columns[name][t] = values
        pushed = {name: values[None] for name, values in row.items()}
        when = time[t : t + 1].astype(np.int64)
        z = np.nan_to_num(standardised(plan.run(pushed, 1, when)["factor"])[0])
    return Bars(
        time,
        [x.symbol for x in instruments],
        columns,
        instruments=instruments,
        periods_per_year=_DAYS_PER_YEAR,
        source=f"planted:seed={seed}",
        notes=(f"planted: returns follow {expr} with a correlation of {strength:g}",),
    )


def null(bars: Bars, seed: int = 0) -> Bars:
    """Return bars in which no factor can work: in each row the moves go to random assets.

    The move of an asset is its whole bar against its close before. In every row the moves of the
    assets that have one are permuted among them, so that the mean move of the row, its spread and
    its tails stay as they were, and nothing before the row says which asset gets which move.

    Parameters
    ----------
    bars : Bars
        Splits and dividends are adjusted for first. Volumes and further columns stay where they
        are: they say nothing either.
    seed : int
        At least 0.

    Returns
    -------
    Bars
        The same times, symbols and unknown cells.

    Raises
    ------
    ParameterError
        One symbol, delistings, or a seed below 0.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500_stocks", end="2000-12-31")
    >>> shuffled = null(bars, seed=1)
    >>> texts = ["-returns(close, 1)"]
    >>> [round(al.factors.score_factors(texts, x)[0].t, 1) for x in (bars, shuffled)]
    [7.4, 0.8]
    """
    if bars.n_symbols < 2:
        raise ParameterError(
            f"null of one symbol, {bars.symbols[0]!r}",
            rule="moves are permuted among symbols, so there are at least two.",
        )
    if seed < 0:
        raise ParameterError(f"null(seed={seed})", rule="seed is at least 0.")
    if DELISTING in bars.columns:
        raise ParameterError(
            "null of bars with delistings",
            rule="a cash price at the end of a listing is not a move that others can have.",
            fix="Leave the column out: rows after a delisting stay unknown.",
        )
    if {"split", "dividend"} & bars.columns.keys():
        bars = bars.adjusted()
    moves, before = _moves(bars)
    rng = np.random.default_rng(seed)
    known = np.isfinite(moves[3])
    for t in np.flatnonzero(known.sum(axis=1) > 1):
        assets = np.flatnonzero(known[t])
        moves[:, t, assets] = moves[:, t, rng.permutation(assets)]
    columns = dict(bars.columns)
    columns |= dict(zip(_PRICES, _prices(bars, moves, before), strict=True))
    return bars.with_content(columns, (_note(seed),))


def _note(seed: int) -> Note:
    return Note("permuted", f"null: moves are permuted among the symbols, seed {seed}")


def _moves(bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Return open, high, low and close over the last known close before, (4, T, N), and that close.

    NaN in the first bar of an asset, and where it has no price.
    """
    known = np.where(np.isnan(bars.close), 0, np.arange(bars.n_rows)[:, None])
    last = np.take_along_axis(bars.close, np.maximum.accumulate(known, axis=0), axis=0)
    before = np.vstack((np.full((1, bars.n_symbols), np.nan), last[:-1]))
    prices = np.stack([bars.columns[name] for name in _PRICES])
    return prices / before, before


def _prices(bars: Bars, moves: FloatArray, before: FloatArray) -> FloatArray:
    """Return prices that make the moves, (4, T, N); the first price of each asset stays."""
    out = np.stack([bars.columns[name] for name in _PRICES])
    close = np.full(bars.n_symbols, np.nan)
    for t in range(bars.n_rows):
        moved = np.isfinite(before[t]) & np.isfinite(moves[3, t])
        out[:, t, moved] = moves[:, t, moved] * close[moved]
        close = np.where(np.isnan(out[3, t]), close, out[3, t])
    return out


def _check(strength: float, n_rows: int, n_assets: int, seed: int) -> None:
    if not abs(strength) <= _STRONGEST:
        raise ParameterError(
            f"planted(strength={strength!r})",
            rule=f"a correlation from -{_STRONGEST} to {_STRONGEST}.",
        )
    for name, value, least in (("n_rows", n_rows, 2), ("n_assets", n_assets, 2), ("seed", seed, 0)):
        if value < least:
            raise ParameterError(f"planted({name}={value})", rule=f"{name} is at least {least}.")
