"""`load`: bars by the name of a data set, the path of a file, or an address in a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alphalab.data.clock.times import Instant
from alphalab.data.panel.bars import Bars
from alphalab.data.samples.datasets import nasdaq, sp500, sp500_stocks
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, ParameterError, UnknownNameError

if TYPE_CHECKING:
    from alphalab.data.formats.schema import Schema

_ADDRESS = "store:"

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
    label: str | None = None,
    calendar: str = "",
    symbols: Sequence[str] | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    schema: Schema | dict[str, Any] | str | Path | None = None,
    adjust: Literal["splits", "all"] | None = None,
    as_of: Instant | None = None,
    universe: str | None = None,
    observations: Sequence[str] = (),
    store: str | Path | None = None,
) -> Bars:
    """Load bars.

    Parameters
    ----------
    name : str or Path
        A data set (``sp500``, ``nasdaq``, ``sp500_stocks``, ``synthetic``), the path of a CSV,
        Parquet or Feather file, or an address in a store: ``"store:binance/1h/BTC/USDT"``,
        ``"store:lean/1d"`` for all symbols, ``"store:lean/1d@17"`` for a version, or the `version`
        of other bars. The synthetic market takes options:
        ``"synthetic:rows=1000000,symbols=1,seed=3,bar=1m,gaps=0.01"``.
    label : {"close", "open", "session"}, optional
        What the times of a file name: the close or the open of a bar, or its session by its date.
        Not given: the close. Data sets and stores are labelled by the close.
    calendar : str
        Exchange whose sessions the dates name, such as ``"XNYS"``; with ``label="session"``.
    symbols : sequence of str, optional
        Keep these, in this order.
    start, end : str, date, datetime or datetime64, optional
        Keep the rows between them, see `Bars.between`.
    schema : Schema, dict, str or Path, optional
        How a file is written, see `alphalab.data.Schema`; a path names a TOML file.
    adjust : {"splits", "all"}, optional
        Adjust prices for splits, or for dividends as well; see `Bars.adjusted`.
    as_of : str, date, datetime or datetime64, optional
        The view of this moment: no later row or event. Of a store: nothing that became known
        later.
    universe, observations, store
        Of an address: see `Store.bars`, and the address of the store itself. Not given: the
        environment variable ``ALPHALAB_STORE``, else the folder ``data``.

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
    if not isinstance(name, str | Path):
        raise DataError(
            f"load({type(name).__name__})",
            rule="it takes the name of a data set, the path of a file, or an address of a store.",
            fix="A frame becomes bars by al.Bars.from_frame(frame).",
        )
    if isinstance(name, str) and name.startswith(_ADDRESS):
        _only_for_files(name, label, schema)
        asked: dict[str, Any] = {"symbols": symbols, "start": start, "end": end, "adjust": adjust}
        more = {"as_of": as_of, "universe": universe, "observations": observations}
        return _from_store(name, store, asked | more)
    for option, value in (
        ("universe", universe),
        ("observations", observations),
        ("store", store),
    ):
        if value:
            raise DataError(
                f"{str(name)!r} with {option}={value!r}",
                rule=f"{option} is for addresses in a store, such as store:binance/1h.",
            )
    bars = _load(name, (label, calendar), schema)
    if adjust is not None:
        from alphalab.data.store.view import check_adjust

        check_adjust(adjust)
        bars = bars.adjusted(as_of=as_of, dividends=adjust == "all")
    elif as_of is not None:
        bars = bars.between(end=as_of)
    if symbols is not None:
        bars = bars.select(symbols)
    if start is not None or end is not None:
        bars = bars.between(start, end)
    return bars


def _from_store(name: str, store: str | Path | None, asked: dict[str, Any]) -> Bars:
    from alphalab.data.store.panel import read_view
    from alphalab.data.store.store import Store
    from alphalab.data.store.view import View

    return read_view(Store(store), View.parse(name, **asked))


def _only_for_files(name: str, label: str | None, schema: Any) -> None:
    if label not in (None, "close"):
        raise DataError(
            f"{name!r} with label={label!r}",
            rule="data sets and stores are labelled by the close; a label is for files.",
        )
    if schema is not None:
        raise DataError(
            f"{name!r} with a schema",
            rule="data sets and stores are labelled by the close; a label, a calendar and other "
            "fields of a schema are for files.",
        )


def _load(name: str | Path, label: tuple[str | None, str], schema: Any) -> Bars:
    plain, _, options = str(name).partition(":")
    if isinstance(name, Path) or plain not in DATASETS:
        return _file(name, label, schema)
    _only_for_files(str(name), label[0], schema)
    if options and plain != "synthetic":
        raise DataError(f"data set {str(name)!r}", rule=f"{plain} takes no options.")
    return DATASETS[plain][1](**_arguments(options))


def _file(name: str | Path, label: tuple[str | None, str], schema: Any) -> Bars:
    path = Path(name).expanduser()
    plain = str(name).partition(":")[0]
    named_as_path = isinstance(name, Path) or len(path.parts) > 1 or Path(plain).suffix
    if not (named_as_path or path.exists()):
        raise UnknownNameError(
            "data set", plain, DATASETS, fix="The path of a CSV, Parquet or Feather file works too."
        )
    from alphalab.data.formats.schema import Schema
    from alphalab.data.panel.from_table import file_rows

    schema = Schema.of(schema).labelled(*label)
    return Bars.from_rows(file_rows(path, schema, DATASETS))


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
