"""``alphalab data check``: check a data set, a file or a store against the quality rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.data.options import ReportFlag, StoreFlag
from alphalab.cli.data.schema_flags import SchemaFlags
from alphalab.cli.flags import named_texts, with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import check_report

if TYPE_CHECKING:
    from alphalab.data.quality.findings import Verdict
    from alphalab.data.quality.settings import QualitySettings

_MOST = 40


@with_flags(SchemaFlags)
def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A data set, a file (bars, trades, funding rates or splits; its columns decide"
            " which), or an address (store:VENUE/INTERVAL/SYMBOL).",
            show_default=False,
        ),
    ],
    source: SchemaFlags,
    interval: Annotated[
        str | None,
        typer.Option(help="Length of the bars, such as 1h.", show_default="the usual step"),
    ] = None,
    actions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Splits and dividends of the bars.")
    ] = None,
    funding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Funding rates of the bars.")
    ] = None,
    severity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE=LEVEL",
            help="error, warning, info or off for a rule; may be repeated; a wrong rule lists all.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A TOML file of levels and thresholds; flags override it."
        ),
    ] = None,
    report: ReportFlag = None,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check data and print the findings. The data is not changed.

    Exits with 1 if there are errors.
    """
    from alphalab.data.quality.check import check
    from alphalab.data.quality.reading import Events, read

    out = Output(json=json, quiet=quiet)
    check_report(report)
    rules = _settings(settings, severity or [])
    schema = source.read()
    given = read(data, schema, store)
    bars: dict[str, Any] = {}
    if not isinstance(given, Events):
        bars["progress"] = out.shows_progress
    verdict = check(
        given,
        rules,
        calendar=schema.calendar or None,
        interval=interval or schema.interval or None,
        actions=actions,
        funding=funding,
        **bars,
    )
    if report is not None:
        from alphalab.research.pages.page import write
        from alphalab.research.pages.quality_report import render

        write(render(verdict, given, schema.calendar), report)
    if json:
        out.object("data.check", {**verdict.to_dict(), "report": report and str(report)})
    else:
        _show(out, verdict, report)
    if verdict.errors:
        raise typer.Exit(1)


def _settings(file: Path | None, levels: list[str]) -> QualitySettings:
    """Return the settings of the file, with the levels of the flags."""
    from msgspec.structs import replace

    from alphalab.data.quality.settings import QualitySettings, read_quality_settings

    given = QualitySettings() if file is None else read_quality_settings(file)
    flags = named_texts("--severity", levels, "a level is written rule=error, such as gaps=error.")
    return replace(given, severity={**given.severity, **flags}) if flags else given


def _show(out: Output, verdict: Verdict, report: Path | None) -> None:
    from alphalab.data.clock.times import iso
    from alphalab.data.quality.findings import counted

    span = ""
    if verdict.start is not None and verdict.end is not None:
        span = f", {iso(verdict.start)} to {iso(verdict.end)}"
    n_symbols = len(verdict.symbols)
    symbols = verdict.symbols[0] if n_symbols == 1 else f"{n_symbols:,} symbols"
    rows = counted(verdict.n_rows, "row")
    out.text(f"{verdict.source}: {verdict.kind}, {rows} of {symbols}{span}")
    fixes = {}
    for finding in verdict.findings[:_MOST]:
        out.text(f"{finding.severity}: {finding}")
        fixes[finding.rule] = finding.fix
    if len(verdict.findings) > _MOST:
        out.text(f"... and {len(verdict.findings) - _MOST:,} more: --json or --report has all")
    for rule, fix in fixes.items():
        out.text(f"{rule}: {fix}")
    if not verdict.findings:
        out.text(f"No findings: {', '.join(verdict.silent)}")
    for rule, why in verdict.skipped.items():
        out.note(f"not checked: {rule}: {why}")
    out.text(f"Verdict: {verdict.summary()}")
    if report is not None:
        out.text(f"Report: {report}")
