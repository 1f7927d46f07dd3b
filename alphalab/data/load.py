"""`load`: bars by the name of a data set or the path of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from alphalab.data.bars import Bars
from alphalab.data.datasets import nasdaq, sp500, sp500_stocks
from alphalab.data.synthetic import synthetic
from alphalab.data.times import Instant
from alphalab.errors import DataError, ParameterError, UnknownNameError

#: Built-in data sets: name -> (one-line description, loader).
DATASETS: dict[str, tuple[str, Callable[..., Bars]]] = {
    "sp500": ("S&P 500 index, daily OHLCV, 1999-2018 (package arch)", sp500),
    "nasdaq": ("NASDAQ Composite index, daily OHLCV, 1999-2018 (package arch)", nasdaq),
    "sp500_stocks": (
        "20 S&P 500 stocks, daily closes only, 1990-2022 (package skfolio)",
        sp500_stocks,
    ),
    "synthetic": (
        "seeded regime-switching market with gaps; options rows, symbols, seed, bar, gaps",
        synthetic,
    ),
}

# Options written after "synthetic:" -> (argument, type).
_SYNTHETIC: dict[str, tuple[str, Callable[[str], int | float | str]]] = {
    "rows": ("n_rows", int),
    "symbols": ("n_symbols", int),
    "seed": ("seed", int),
    "bar": ("bar", str),
    "gaps": ("gap_frac", float),
}


def load(
    name: str | Path,
    *,
    bar_label: str = "close",
    symbols: Sequence[str] | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
) -> Bars:
    """Load bars.

    Parameters
    ----------
    name : str or Path
        A data set (``sp500``, ``nasdaq``, ``sp500_stocks``, ``synthetic``), or the path of a CSV,
        Parquet or Feather file. The made-up market takes options:
        ``"synthetic:rows=1000000,symbols=1,seed=3,bar=1m,gaps=0.01"``.
    bar_label : {"close", "open"}
        What the times of a file name; data sets are labelled by the close.
    symbols : sequence of str, optional
        Keep these, in this order.
    start, end : str, date, datetime or datetime64, optional
        Keep the rows between them, see `Bars.between`.

    Returns
    -------
    Bars

    Raises
    ------
    UnknownNameError
        No such data set, symbol or option; near names are suggested.
    DataError
        No such file, a file that cannot be read, or data that breaks a rule.
    MissingExtraError
        The package that holds the data set is not installed.

    Examples
    --------
    >>> load("sp500", start="2018-01-01").n_rows
    251
    >>> load("sp50")
    Traceback (most recent call last):
        ...
    alphalab.errors.UnknownNameError: unknown data set 'sp50': did you mean 'sp500'?
      Rule: known names are nasdaq, sp500, sp500_stocks, synthetic. The path of a CSV, Parquet or
      Feather file works too.
    """
    bars = _load(name, bar_label)
    if symbols is not None:
        bars = bars.select(symbols)
    if start is not None or end is not None:
        bars = bars.between(start, end)
    return bars


def _load(name: str | Path, bar_label: str) -> Bars:
    plain, _, options = str(name).partition(":")
    if isinstance(name, Path) or plain not in DATASETS:
        return _file(name, bar_label)
    if bar_label != "close":
        raise DataError(
            f"data set {plain!r} with bar_label={bar_label!r}",
            rule="data sets are labelled by the close; bar_label is for files.",
        )
    if options and plain != "synthetic":
        raise DataError(f"data set {str(name)!r}", rule=f"{plain} takes no options.")
    return DATASETS[plain][1](**_arguments(options))


def _file(name: str | Path, bar_label: str) -> Bars:
    path = Path(name).expanduser()
    plain = str(name).partition(":")[0]
    named_as_path = isinstance(name, Path) or len(path.parts) > 1 or Path(plain).suffix
    if not (named_as_path or path.exists()):
        raise UnknownNameError(
            "data set", plain, DATASETS, fix="The path of a CSV, Parquet or Feather file works too."
        )
    from alphalab.data.files import read_file

    return read_file(path, bar_label=bar_label, also=DATASETS)


def _arguments(options: str) -> dict[str, int | float | str]:
    arguments = {}
    for option in filter(None, options.split(",")):
        key, _, text = option.partition("=")
        if key not in _SYNTHETIC:
            raise UnknownNameError("option of 'synthetic'", key, _SYNTHETIC)
        argument, kind = _SYNTHETIC[key]
        try:
            arguments[argument] = kind(text)
        except ValueError:
            raise ParameterError(
                f"synthetic:{option}",
                rule=f"{key} is {'a whole number' if kind is int else 'a number'}.",
            ) from None
    return arguments
