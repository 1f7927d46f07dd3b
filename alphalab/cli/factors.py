"""``alphalab factors``: the libraries of factors, and ``alphalab factor``: what one is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.data.options import EndFlag, ReportFlag, StartFlag, StoreFlag, SymbolsFlag
from alphalab.cli.data.schema_flags import SchemaFlags
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import announce_compilation, check_report
from alphalab.errors import ParameterError

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars
    from alphalab.research.factors.library import Factor
    from alphalab.research.factors.report import FactorReport

app = typer.Typer(
    help="Libraries of factors: WorldQuant's alphas, qlib's, and the literature's.",
    no_args_is_help=True,
)
_LONGEST = 100  # characters of a text in a table


@app.command("list")
def listing(
    library: Annotated[
        str, typer.Argument(help="Show the factors of this library only.", show_default="all")
    ] = "",
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the libraries, or the factors of one with their texts."""
    from alphalab.research.factors import BUILT_IN
    from alphalab.research.factors import library as named

    out = Output(json=json, quiet=quiet)
    if library:
        shown = list(named(library).values())
        if json:
            out.object("factors.list", {"factors": [_described(one) for one in shown]})
            return
        out.table([(one.name, _cut(str(one.expr))) for one in shown], ("factor", "text"))
        return
    libraries = [named(name) for name in BUILT_IN]
    if json:
        content = [
            {"name": x.name, "title": x.title, "source": x.source, "factors": list(x)}
            for x in libraries
        ]
        out.object("factors.list", {"libraries": content})
        return
    rows = [(x.name, f"{len(x)}", x.title, x.source) for x in libraries]
    out.table(rows, ("library", "factors", "title", "source"))


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(help="A factor such as alpha101.alpha42, or momentum.", show_default=False),
    ],
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Show one factor: its text, numbers, words and source."""
    from alphalab.research.factors import find_factor

    out = Output(json=json, quiet=quiet)
    one = find_factor(name)
    if json:
        out.object("factors.show", _described(one))
        return
    out.text(one.full_name)
    out.text(str(one.expr))
    out.text(f"Warm-up: {one.expr.warmup} rows.")
    if one.numbers:
        out.text(f"Numbers: {', '.join(f'{key}={value:g}' for key, value in one.numbers.items())}.")
    for word in one.used_words:
        out.text(f"{word} = {one.words[word]}")
    out.text(f"Source: {one.source}")
    if one.note:
        out.text(f"Note: {one.note}")


@dataclass(frozen=True, kw_only=True)
class FactorFlags(SchemaFlags):
    """Flags of the data that a factor is measured on."""

    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            help="A data set (alphalab doctor lists them), a file, or an address in a store.",
            show_default=False,
        ),
    ]
    store: StoreFlag = None
    symbols: SymbolsFlag = None
    start: StartFlag = None
    end: EndFlag = None
    fee_bps: Annotated[
        float | None,
        typer.Option(help="Fee in basis points of traded value.", show_default="the instrument's"),
    ] = None
    spread_bps: Annotated[
        float, typer.Option(help="Bid-ask spread, basis points, of the long-short portfolio.")
    ] = 0.0

    def bars(self) -> Bars:
        """Return the bars."""
        from alphalab.data.load import load

        bars = load(self.data, schema=self.format_given(), store=self.store)
        if self.symbols is not None:
            bars = bars.select([x.strip() for x in self.symbols.split(",")])
        return bars.between(self.start, self.end)


@with_flags(FactorFlags)
def factor(
    factors: Annotated[
        list[str],
        typer.Argument(
            metavar="FACTOR ...",
            help="A text of the language, or a factor of a library; name=text gives it a name.",
            show_default=False,
        ),
    ],
    given: FactorFlags,
    horizons: Annotated[
        str, typer.Option(metavar="1,5,21", help="Rows that a position is held.")
    ] = "1,5,21",
    quantiles: Annotated[int, typer.Option(help="Quantiles of each row.")] = 5,
    groups: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Also inside each group, such as each sector."),
    ] = None,
    report: ReportFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Measure how well factors order the returns that follow them."""
    from alphalab.config import Costs
    from alphalab.research.factors.report import factor_report

    out = Output(json=json, quiet=quiet)
    check_report(report)
    chosen = _chosen(factors)
    rows = _horizons(horizons)
    costs = Costs(fee_bps=given.fee_bps, spread_bps=given.spread_bps)
    bars = given.bars()
    announce_compilation(out)
    found = factor_report(
        chosen, bars, horizons=rows, quantiles=quantiles, groups=groups, costs=costs
    )
    for remark in found.remarks:
        out.warn(remark)
    if report is not None:
        found.to_html(report)
    if json:
        out.object("factor", {**found.to_dict(), "report": report and str(report)})
        return
    _show(out, found)
    if report is not None:
        out.text(f"Report: {report}")


def _chosen(given: list[str]) -> dict[str, Any]:
    """Return factors by name: ``name=text``, a factor of a library, or a text."""
    chosen: dict[str, Any] = {}
    for text in given:
        name, equals, rest = text.partition("=")
        named = bool(equals) and name.strip().isidentifier() and not rest.startswith("=")
        key, body = (name.strip(), rest.strip()) if named else (text, text)
        if key in chosen:
            raise ParameterError(f"factor {key!r} twice", rule="a name is given once.")
        chosen[key] = _factor(body)
    return chosen


def _factor(text: str) -> Any:
    from alphalab.errors import UnknownNameError
    from alphalab.expr.text import parse
    from alphalab.research.factors import BUILT_IN, find_factor

    home, _, own = text.partition(".")
    is_name = text.isidentifier() or (home in BUILT_IN and own.isidentifier())
    try:
        return find_factor(text).expr if is_name else parse(text)
    except UnknownNameError:
        if not text.isidentifier():
            raise
        return parse(text)  # a column, such as close; else the error about a name


def _horizons(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ParameterError(
            f"--horizons {text!r}", rule="integers with commas between them, such as 1,5,21."
        ) from None


def _show(out: Output, found: FactorReport) -> None:
    rows = []
    for x in found.summary.reset_index().to_dict("records"):
        rows.append(
            (
                str(x["factor"])[:_LONGEST],
                str(x["horizon"]),
                f"{x['rank_ic']:+.4f}",
                f"{x['t']:+.1f}",
                f"{x['icir']:+.3f}",
                f"{1e4 * x['spread'] / x['horizon']:+.2f}",
                f"{x['turnover']:.1%}",
                f"{x['coverage']:.1%}",
            )
        )
    head = ("factor", "horizon", "rank IC", "t", "ICIR", "spread bps", "turnover", "coverage")
    out.table(rows, head, f"{found.bars.source or 'given bars'}: {len(found.bars):,} rows")
    traded = found.long_short
    for name in map(str, traded.columns):
        figures = traded[name]
        out.text(
            f"{name}: long-short after costs: Sharpe {figures['sharpe']:.2f}, "
            f"break-even fee {figures['break_even_bps']:.1f} bps"
        )


def _described(one: Factor) -> dict[str, Any]:
    return {
        "name": one.full_name,
        "text": str(one.expr),
        "warmup": one.expr.warmup,
        "numbers": dict(one.numbers),
        "words": {word: one.words[word] for word in one.used_words},
        "source": one.source,
        "note": one.note,
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
