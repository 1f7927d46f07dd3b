"""Other histories: rows of a history drawn in blocks (moving-block bootstrap)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alphalab.core.step_engine import Stretch
from alphalab.errors import DataError
from alphalab.types import DELISTING, FloatArray, IntArray

PRICES = ("open", "high", "low", "close", "bid", "ask")
BOUND_TO_ROWS = ("split", "dividend", "funding", DELISTING)


def path_of(
    history: Stretch,
    runs: Sequence[tuple[int, int]],
    *,
    block: int,
    gap_bps: float,
    rng: np.random.Generator,
) -> Stretch:
    """Return another history of the length of the given rows, made of blocks of their moves.

    Parameters
    ----------
    history : Stretch
        Its prices are known in every drawn row.
    runs : sequence of pairs of int
        First and last row of each run of rows to draw from; blocks stay inside a run.
    block : int
        Rows of a block; shorter where a run is.
    gap_bps : float
        Standard deviation of an additional jump between two rows, the same for all assets.
    rng : numpy.random.Generator

    Returns
    -------
    Stretch
        Every row has the moves of a drawn row from the close before it: of prices and quotes. Other
        columns have the values of the drawn row. The first row is the first one given.

    Raises
    ------
    DataError
        A column whose values belong to their rows, such as a split, or unknown prices.

    Notes
    -----
    Kuensch, The Jackknife and the Bootstrap for General Stationary Observations (1989).
    """
    _check(history.columns, runs)
    n_rows = sum(last - first + 1 for first, last in runs)
    drawn = _rows(runs, n_rows - 1, block, rng)
    close = history.columns["close"]
    move = close[drawn] / close[drawn - 1]
    jump = np.exp(rng.normal(0.0, gap_bps / 1e4, (n_rows - 1, 1)))
    start = runs[0][0]
    level = np.vstack([close[start], close[start] * np.cumprod(move * jump, axis=0)])
    columns = {}
    for name, values in history.columns.items():
        path = np.vstack([values[start], values[drawn]])
        if name in PRICES:
            path[1:] = path[1:] / close[drawn - 1] * level[:-1] * jump
        columns[name] = path
    columns["close"] = level
    for name, extreme in (("high", np.maximum), ("low", np.minimum)):  # against rounding
        columns[name] = extreme.reduce([columns[x] for x in ("open", "close", name)])
    return Stretch(history.time[:n_rows], columns)


def _rows(
    runs: Sequence[tuple[int, int]], n: int, block: int, rng: np.random.Generator
) -> IntArray:
    """Draw n rows in blocks; a run's first row is not drawn, since its move began outside."""
    sizes = np.array([last - first for first, last in runs])
    parts: list[IntArray] = []
    n_drawn = 0
    while n_drawn < n:
        run = int(rng.choice(sizes.size, p=sizes / sizes.sum()))
        size = min(block, int(sizes[run]))
        first = runs[run][0] + 1 + int(rng.integers(sizes[run] - size + 1))
        parts.append(np.arange(first, first + size))
        n_drawn += size
    return np.concatenate(parts)[:n]


def _check(columns: Mapping[str, FloatArray], runs: Sequence[tuple[int, int]]) -> None:
    for name in BOUND_TO_ROWS:
        if name in columns:
            raise DataError(
                f"Randomise(paths=...) on bars with the column {name!r}",
                rule="rows are drawn in another order, so nothing may belong to its row.",
                fix="Adjust the prices first, bars.adjusted(...), or set paths=0.",
            )
    for name in ("open", "high", "low", "close"):
        for first, last in runs:
            if np.isnan(columns[name][first : last + 1]).any():
                raise DataError(
                    f"Randomise(paths=...): {name} is unknown in some rows from {first} to {last}",
                    rule="a path is made of moves from close to close, so prices are known.",
                    fix="Choose rows or symbols that traded in every row, or set paths=0.",
                )
