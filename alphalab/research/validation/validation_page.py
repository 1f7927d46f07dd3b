"""The report of a validation: one HTML page with the verdict, every figure and every picture."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from alphalab.artifact.validation_record import ValidationRecord
from alphalab.research.pages import page
from alphalab.research.pages.page import chart, quiet, section, table, tile
from alphalab.research.validation import validation_plots as plots
from alphalab.research.validation.evidence import Evidence
from alphalab.research.validation.policy import CHECKS
from alphalab.research.validation.stress import Outcome
from alphalab.research.validation.verdict import Trials

_TILES = ("probabilistic_sharpe", "deflated_sharpe", "loss_out_of_sample", "neighbours")


def render(record: ValidationRecord, evidence: Evidence, trials: Trials) -> str:
    """Return the report as HTML."""
    result = evidence.result
    return page.Page(
        title=f"{result.strategy}: {record.verdict}",
        heading=f"{result.strategy}: {record.verdict}",
        detail=", ".join(f"{name} = {value!r}" for name, value in result.params.items()),
        about=page.about(result.bars),
        remarks=[*_remarks(record, trials), *result.warnings],
        tiles=_tiles(record, trials),
        sections=_sections(record, evidence, trials),
        assumptions=result.assumptions,
        footer=f"alphalab · digest {result.digest} · policy {record.policy_id[:16]} · "
        f"trial ledger {record.ledger_head[:24] or 'off'}",
    ).html()


def _remarks(record: ValidationRecord, trials: Trials) -> Iterator[str]:
    if not trials.counted:
        yield (
            "Trials were not counted: the deflated Sharpe ratio knows the parameter neighbours "
            "that this validation ran, and nothing that was tried before."
        )
    for check in record.refusals:
        yield check.reason


def _tiles(record: ValidationRecord, trials: Trials) -> Iterator[str]:
    checks = {check.name: check for check in record.checks}
    n_refused = len(record.refusals)
    yield tile("Verdict", record.verdict, "down" if n_refused else "up")
    yield tile("Checks passed", f"{len(checks) - n_refused} of {len(checks)}")
    yield tile("Trials", f"{trials.n:,.0f}" if trials.counted else "not counted")
    for name in _TILES:
        check = checks[name]
        text = "n/a" if check.figure is None else f"{check.figure:.3f}"
        yield tile(CHECKS[name].label, text, "" if check.passed else "down")


def _sections(record: ValidationRecord, e: Evidence, trials: Trials) -> Iterator[str]:
    yield section("Checks", _checks(record), "Each figure against the limit of the policy.")
    yield section("Causality", _lines(str(e.causality)))
    yield section("Warm-up", _lines(str(e.warm_up)))
    if e.pbo is not None and e.paths is not None:
        slope, _ = e.pbo.degradation
        yield '<div class="pair">'
        yield chart(
            "Paths of cross-validation",
            plots.paths(e),
            f"Annualised Sharpe ratios of {e.paths.size} paths: the best of {len(e.labels)} "
            "columns in the other segments, traded in this one.",
        )
        yield chart(
            "Rank out of sample",
            plots.logits(e.pbo),
            f"Logit of the rank of the best column of one half in the other, over "
            f"{e.pbo.logits.size:,} halves: {e.pbo.probability:.0%} at or below the median, "
            f"{e.pbo.probability_of_loss:.0%} lose. A Sharpe ratio that is higher by 1 in sample "
            f"goes with one that is higher by {slope:.2f} out of sample.",
        )
        yield "</div>"
    yield '<div class="pair">'
    yield chart(
        "Deflated Sharpe ratio against the number of trials",
        plots.deflated(e, trials),
        f"How many trials the result would survive; the dot: {trials.text}."
        + ("" if trials.variance else " Their variance is taken as 1 / rows."),
    )
    yield chart("Calendar years", plots.years(e), "Compound return of each year, percent, UTC.")
    yield "</div>"
    near = [outcome for outcome in e.stress if outcome.kind == "parameter"]
    if near:
        yield chart(
            "Parameter neighbours",
            plots.neighbours(near, e.result.metrics["sharpe"]),
            "Annualised Sharpe ratio with one parameter moved by about 10 and 20 percent.",
        )
    yield section("Stress", _stress(e), "The same strategy under other conditions.")
    yield section(
        "Volatility regimes",
        table(
            ("Market", "Rows", "Return", "Sharpe"),
            (
                (x.label, f"{x.rows:,}", _percent(x.total_return), _number(x.sharpe))
                for x in e.regimes
            ),
        ),
        "Thirds of the rows by the standard deviation of the benchmark over the 60 rows before.",
    )
    yield section("Drawdown of the trades in other orders", _orders(e))
    yield section("Capacity", _capacity(e))


def _checks(record: ValidationRecord) -> str:
    rows = []
    for check in record.checks:
        kind = CHECKS[check.name]
        sign = "≥" if kind.side == "least" else "≤"
        word = "passed" if check.passed else "refused"
        colour = "up" if check.passed else "down"
        rows.append(
            (
                escape(kind.label),
                escape(check.reason),
                f'<span class="{colour}">{word}</span>',
                "n/a" if check.figure is None else f"{check.figure:.4g}",
                "" if check.threshold is None else f"{sign} {check.threshold:g}",
            )
        )
    return table(("Check", "Reason", "Verdict", "Figure", "Limit"), rows, text=3)


def _stress(e: Evidence) -> str:
    base = Outcome(
        "as given",
        "as given",
        e.result.metrics["sharpe"],
        e.result.metrics["total_return"],
        e.result.metrics["max_drawdown"],
    )
    return table(
        ("Case", "Sharpe", "Return", "Drawdown"),
        (
            (
                escape(outcome.label),
                _number(outcome.sharpe),
                _percent(outcome.total_return),
                _percent(outcome.max_drawdown),
            )
            for outcome in (base, *e.stress)
        ),
    )


def _orders(e: Evidence) -> str:
    if isinstance(e.trade_order, str):
        return quiet(e.trade_order)
    found = e.trade_order
    return quiet(
        f"{_percent(found.drawdown)} as it happened; {_percent(found.quantile(0.5))} in the median "
        f"of {found.drawdowns.size:,} random orders, {_percent(found.quantile(0.95))} in one of "
        "twenty."
    )


def _capacity(e: Evidence) -> str:
    if isinstance(e.capacity, str):
        return quiet(e.capacity)
    return quiet(
        f"With {e.capacity.cash:,.0f} {e.result.currency} at the start, impact by the square-root "
        f"law would eat half of the profit; at {e.result.settings.cash:,.0f} it is "
        f"{e.capacity.impact:,.0f} of {e.capacity.profit:,.0f}."
    )


def _lines(text: str) -> str:
    return "".join(quiet(line) for line in text.splitlines())


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if value == value else "n/a"


def _number(value: float) -> str:
    return f"{value:.2f}" if value == value else "n/a"
