"""What the commands that run strategies share: their flags, and what the flags ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.flags import named_texts
from alphalab.cli.output import Output
from alphalab.errors import InputError

if TYPE_CHECKING:
    from alphalab.cli.settings import RunFile
    from alphalab.data.panel.bars import Bars
    from alphalab.data.quality.settings import QualitySettings
    from alphalab.data.store.scan import Scan

STRATEGY_HELP = (
    "A file (strategies/x.py, or x.py:Class when it defines several), or the name of a reference"
    " strategy such as sma_cross."
)


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """The flags that say what a strategy is run on, and how: each field is one."""

    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            help="A data set (alphalab doctor lists them), a CSV, Parquet or Feather file, or an"
            " address in a store: store:VENUE/INTERVAL/SYMBOL.",
            show_default=False,
        ),
    ]
    store: StoreFlag = None
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the strategy, as often as needed; a wrong name lists them.",
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            help="First day or instant (ISO 8601, UTC). A backtest sees the rows before it, and"
            " trades in none of them."
        ),
    ] = None
    end: Annotated[str | None, typer.Option(help="Last day (whole) or instant.")] = None
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these symbols, in this order.")
    ] = None
    bar_label: Annotated[
        Literal["open", "close"],
        typer.Option(help="What the times in a file name: the opening or the close of a bar."),
    ] = "close"
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file that says how the data file is written."),
    ] = None
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file of settings; flags go before what it says."),
    ] = None
    cash: Annotated[
        float | None,
        typer.Option(help="Cash at the start, quote currency.", show_default="100,000"),
    ] = None
    fee_bps: Annotated[
        float | None,
        typer.Option(help="Fee in basis points of traded value.", show_default="the instrument's"),
    ] = None
    spread_bps: Annotated[
        float | None, typer.Option(help="From bid to ask, basis points.", show_default="0")
    ] = None
    slippage_bps: Annotated[
        float | None,
        typer.Option(help="What a taker's price is worse by, basis points.", show_default="0"),
    ] = None
    fill: Annotated[
        Literal["next_open", "next_close", "same_close"] | None,
        typer.Option(
            help="Price that a decision of row t trades at; same_close has been seen.",
            show_default="next_open",
        ),
    ] = None
    path: Annotated[
        Literal["pessimistic", "optimistic", "ohlc"] | None,
        typer.Option(help="The price's way inside a bar.", show_default="pessimistic"),
    ] = None
    participation: Annotated[
        float | None,
        typer.Option(help="Largest share of a bar's volume to fill.", show_default="no limit"),
    ] = None
    delay: Annotated[
        int | None, typer.Option(help="Rows an order is on its way.", show_default="0")
    ] = None
    leverage: Annotated[
        float | None,
        typer.Option(help="A margin account with this leverage.", show_default="a cash account"),
    ] = None
    maintenance: Annotated[
        float | None,
        typer.Option(help="Its equity per value of positions, below which it is liquidated."),
    ] = None
    funding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Funding rates: time, rate (and symbol).")
    ] = None
    actions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Splits and dividends: ex-date, split, dividend (and symbol)."
        ),
    ] = None
    dividends: Annotated[
        Literal["cash", "reinvest"] | None,
        typer.Option(help="What becomes of dividends; splits apply.", show_default="cash"),
    ] = None

    quality: Annotated[
        Literal["refuse", "accept", "unchecked"] | None,
        typer.Option(
            help="What becomes of data with errors; unchecked: not looked for.",
            show_default="refuse",
        ),
    ] = None

    def file(self) -> RunFile:
        """Return what the settings file says."""
        from alphalab.cli.settings import read_run_file

        return read_run_file(self.settings)

    def keywords(self, file: RunFile) -> dict[str, Any]:
        """Return the keywords of `alphalab.backtest`, each checked by itself."""
        from alphalab.cli.settings import margin_flags, run_keywords

        dividends = self.dividends
        said = dividends is not None or file.run.get("actions", "none") != "none"
        if self.actions is not None and not said:
            dividends = "cash"
        flags = {
            "cash": self.cash,
            "fill": self.fill,
            "costs.fee_bps": self.fee_bps,
            "costs.spread_bps": self.spread_bps,
            "costs.slippage_bps": self.slippage_bps,
            "execution.path": self.path,
            "execution.participation": self.participation,
            "execution.delay": self.delay,
            "actions": dividends,
            **margin_flags(self.leverage, self.maintenance),
        }
        return run_keywords(file, flags)

    def checked_by(self, file: RunFile) -> QualitySettings:
        """Return how the data is checked, and what becomes of errors."""
        from alphalab.data.quality.settings import quality_settings

        flag = {} if self.quality is None else {"on_errors": self.quality}
        return quality_settings(file.quality | flag, file.name)

    def history(self, file: RunFile) -> Bars:
        """Return the bars with the rows before ``--start``, for a run that sees them first."""
        bars = replace(self, start=None).bars(file)
        bars.between(self.start, self.end)  # refuses a span without rows by both of its ends
        return bars

    def bars(self, file: RunFile) -> Bars:
        """Return the bars: with the events and instruments of the files, and of these the chosen.

        Events come before the choice: their files may hold more than is chosen.
        """
        from alphalab.data.load import load

        if self.data.startswith("store:"):
            bars = load(self.data, **self._written, store=self.store, **self._chosen)
            return self._with_events(file.instruments_of(bars))
        bars = load(self.data, **self._written, store=self.store)
        bars = self._with_events(file.instruments_of(bars))
        if self._symbols is not None:
            bars = bars.select(self._symbols)
        if self.start is not None or self.end is not None:
            bars = bars.between(self.start, self.end)
        return bars

    def scan(self, file: RunFile) -> Scan:
        """Return the bars of a store, to be read block by block."""
        from alphalab.data.store.scan import scan

        given = {
            "--schema": self.schema,
            "--bar-label open": self.bar_label == "open",
            "--funding": self.funding,
            "--actions": self.actions,
            "instruments in --settings": file.instrument or file.instruments,
        }
        for name in (name for name, value in given.items() if value):
            raise InputError(
                f"--scan with {name}",
                rule="a scan is of a store, which has what belongs to it; flags for files are not.",
                fix="Leave it out, or ingest the file first: see alphalab data ingest --help.",
            )
        return scan(self.data, store=self.store, **self._chosen)

    @property
    def _symbols(self) -> list[str] | None:
        return None if self.symbols is None else [x.strip() for x in self.symbols.split(",")]

    @property
    def _written(self) -> dict[str, Any]:
        return {"bar_label": self.bar_label, "schema": self.schema}

    @property
    def _chosen(self) -> dict[str, Any]:
        return {"symbols": self._symbols, "start": self.start, "end": self.end}

    def _with_events(self, bars: Bars) -> Bars:
        bars = bars if self.funding is None else bars.with_funding(self.funding)
        return bars if self.actions is None else bars.with_actions(self.actions)

    def parameters(self) -> dict[str, str]:
        """Return the parameters as texts by name."""
        return named_texts("--param", self.param or [], "a parameter reads name=value.")


def check_report(path: Path | None) -> None:
    """Refuse a report that cannot be written before the work is done, not after."""
    if path is None:
        return
    rule = "a report is one HTML file; missing folders are made."
    if path.is_dir():
        raise InputError(f"--report {path} is a folder", rule=rule, fix="Add a file name.")
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report {path}", rule=rule, fix="Give it a name that ends in .html.")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"--report {path}: {above} is a file, not a folder", rule=rule)


def announce_compilation(out: Output) -> None:
    """Say so when kernels will be compiled first."""
    from alphalab.kernels._jit import CACHE_DIR, DISABLED

    if not DISABLED and next(CACHE_DIR.rglob("*.nbi"), None) is None:
        out.note(f"Compiling kernels, once (up to a minute); kept in {CACHE_DIR.parent}")
