"""Flags that the commands which run strategies share, and the data and settings they select."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import (
    EndFlag,
    StoreFlag,
    SymbolsFlag,
)
from alphalab.cli.data.schema_flags import SchemaFlags
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
class RunFlags(SchemaFlags):
    """Flags for the data, the settings and the costs of a run: each field is one flag."""

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
            help="A parameter of the strategy; may be repeated; a wrong name lists all.",
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            help="First day or instant to trade (ISO 8601, UTC). The expressions see the rows"
            " before it."
        ),
    ] = None
    end: EndFlag = None
    symbols: SymbolsFlag = None
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file of settings; flags override it."),
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
        float | None, typer.Option(help="Bid-ask spread, basis points.", show_default="0")
    ] = None
    slippage_bps: Annotated[
        float | None,
        typer.Option(help="Slippage of takers, basis points of the price.", show_default="0"),
    ] = None
    fill: Annotated[
        Literal["next_open", "next_close", "same_close"] | None,
        typer.Option(
            help="Price of trades decided at row t; same_close is a price the decision has seen.",
            show_default="next_open",
        ),
    ] = None
    path: Annotated[
        Literal["pessimistic", "optimistic", "ohlc"] | None,
        typer.Option(help="Path of the price inside a bar.", show_default="pessimistic"),
    ] = None
    participation: Annotated[
        float | None,
        typer.Option(help="Largest share of a bar's volume to fill.", show_default="no limit"),
    ] = None
    delay: Annotated[
        int | None, typer.Option(help="Rows by which orders are delayed.", show_default="0")
    ] = None
    leverage: Annotated[
        float | None,
        typer.Option(help="A margin account with this leverage.", show_default="a cash account"),
    ] = None
    maintenance: Annotated[
        float | None,
        typer.Option(help="Equity per value of positions below which the account is liquidated."),
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
        typer.Option(help="How dividends are paid; splits are applied too.", show_default="cash"),
    ] = None

    quality: Annotated[
        Literal["refuse", "accept", "unchecked"] | None,
        typer.Option(
            help="How to treat data with errors; unchecked: do not look for any.",
            show_default="refuse",
        ),
    ] = None

    family: Annotated[
        str | None,
        typer.Option(
            help="Count this run with others of this name in the trial ledger.",
            show_default="the strategy's own",
        ),
    ] = None

    def file(self) -> RunFile:
        """Return the contents of the settings file."""
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

    def whole_keywords(self, file: RunFile) -> dict[str, Any]:
        """Return the keywords of `alphalab.backtest`, checked together before any data is read."""
        from alphalab.config import RunSettings

        keywords = self.keywords(file)
        RunSettings(**keywords)
        return keywords

    def quality_settings(self, file: RunFile) -> QualitySettings:
        """Return the settings of the data check."""
        from alphalab.data.quality.settings import quality_settings

        flag = {} if self.quality is None else {"on_errors": self.quality}
        return quality_settings(file.quality | flag, file.name)

    def bars(self, file: RunFile) -> Bars:
        """Return the bars to the end, with the rows before ``--start``: a run sees them first."""
        bars = self._loaded(file)
        bars.between(self.start, self.end)  # refuses a span without rows by both of its ends
        return bars if self.end is None else bars.between(end=self.end)

    def _loaded(self, file: RunFile) -> Bars:
        """Load the bars, join events and instruments, then select the symbols.

        Events are joined first: their files may hold symbols and dates outside the selection.
        """
        from alphalab.data.load import load

        if self.data.startswith("store:"):
            selection = self._selection | {"start": None}
            bars = load(self.data, **self._file_format, store=self.store, **selection)
            return self._with_events(file.instruments_of(bars))
        bars = load(self.data, **self._file_format, store=self.store)
        bars = self._with_events(file.instruments_of(bars))
        return bars if self._symbols is None else bars.select(self._symbols)

    def scan(self, file: RunFile) -> Scan:
        """Return a scan of a store, which reads its bars block by block."""
        from alphalab.data.store.scan import scan

        format_flags = {f"--{x.name}": getattr(self, x.name) for x in fields(SchemaFlags)}
        given = {
            **format_flags,
            "--funding": self.funding,
            "--actions": self.actions,
            "instruments in --settings": file.instrument or file.instruments,
        }
        for name in (name for name, value in given.items() if value):
            raise InputError(
                f"--scan with {name}",
                rule="a scan reads a store with its events; this flag is for files.",
                fix="Leave it out, or ingest the file first: see alphalab data ingest --help.",
            )
        return scan(self.data, store=self.store, **self._selection)

    @property
    def _symbols(self) -> list[str] | None:
        return None if self.symbols is None else [x.strip() for x in self.symbols.split(",")]

    @property
    def _file_format(self) -> dict[str, Any]:
        return {"schema": self.format_given()}

    @property
    def _selection(self) -> dict[str, Any]:
        return {"symbols": self._symbols, "start": self.start, "end": self.end}

    def _with_events(self, bars: Bars) -> Bars:
        bars = bars if self.funding is None else bars.with_funding(self.funding)
        return bars if self.actions is None else bars.with_actions(self.actions)

    def counted(self) -> AbstractContextManager[None]:
        """Return a context in which runs are counted with others of `family`."""
        from alphalab.artifact.ledger import trial_family

        return nullcontext() if self.family is None else trial_family(self.family)

    def parameters(self) -> dict[str, str]:
        """Return the parameters as texts by name."""
        return named_texts("--param", self.param or [], "a parameter is written name=value.")


def check_report(path: Path | None) -> None:
    """Refuse a path of a report that cannot be written, before the run starts."""
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
    """Print a note if kernels have to be compiled first."""
    from alphalab.kernels._jit import CACHE_DIR, DISABLED

    if not DISABLED and next(CACHE_DIR.rglob("*.nbi"), None) is None:
        out.note(f"Compiling kernels, once (up to a minute); kept in {CACHE_DIR.parent}")
