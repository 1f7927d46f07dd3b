"""Labels, formats and one-line definitions of the metrics, and the short reprs of results."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from alphalab.research.results import metrics, round_trips
from alphalab.research.results.record import Run


def money(value: float) -> str:
    """Format an amount of quote currency: thousands, two decimals."""
    return f"{value:,.2f}"


def percent(value: float) -> str:
    """Format a fraction as a percentage."""
    return f"{value:z,.2%}"


def ratio(value: float) -> str:
    """Format a number without a unit."""
    return f"{value:z,.2f}"


def count(value: float) -> str:
    """Format a whole number."""
    return f"{value:,.0f}"


def rows(value: float) -> str:
    """Format a length in rows; a mean keeps one decimal."""
    return f"{value:,.0f} rows" if float(value).is_integer() else f"{value:,.1f} rows"


def days(value: float) -> str:
    """Format a length given in days, in the unit that fits it.

    Examples
    --------
    >>> days(0.01), days(0.5), days(400.0)
    ('14.4 minutes', '12.0 hours', '400.0 days')
    """
    if value < 1 / 24:
        return f"{value * 1440:.1f} minutes"
    return f"{value * 24:.1f} hours" if value < 2 else f"{value:,.1f} days"


class Figure(NamedTuple):
    """Label, format and definition of one entry of `Result.metrics`."""

    label: str
    show: Callable[[float], str]
    meaning: str | Callable[..., Any]

    def text(self, value: float) -> str:
        """Return the value with its unit; ``n/a`` where it is not defined."""
        return self.show(value) if math.isfinite(value) else "n/a"

    @property
    def definition(self) -> str:
        """The metric in one line: a text, or the first line of its function's docstring."""
        if isinstance(self.meaning, str):
            return self.meaning
        return (inspect.getdoc(self.meaning) or "").splitlines()[0]


#: Every entry of `Result.metrics`, in its order.
FIGURES: dict[str, Figure] = {
    "final_equity": Figure("Final equity", money, "Account value after the last row."),
    "total_return": Figure("Total return", percent, metrics.total_return),
    "annual_return": Figure("Annual return", percent, metrics.annual_return),
    "volatility": Figure("Volatility", percent, metrics.volatility),
    "sharpe": Figure("Sharpe ratio", ratio, metrics.sharpe),
    "sortino": Figure("Sortino ratio", ratio, metrics.sortino),
    "max_drawdown": Figure("Max drawdown", percent, metrics.max_drawdown),
    "n_fills": Figure("Fills", count, "Executions."),
    "n_round_trips": Figure("Round trips", count, "Positions opened and closed again."),
    "fees": Figure("Fees paid", money, "Sum over all fills."),
    "turnover": Figure("Turnover", ratio, metrics.turnover),
    "exposure": Figure("Exposure", percent, metrics.exposure),
    "mean_gross_exposure": Figure("Mean gross exposure", percent, metrics.mean_gross_exposure),
    "max_gross_exposure": Figure("Largest gross exposure", percent, metrics.max_gross_exposure),
    "n_orders": Figure("Orders", count, "Orders sent to the venue, filled or not."),
    "carry": Figure("Carry", money, "Funding, borrowing, interest, dividends and the like."),
    "calmar": Figure("Calmar ratio", ratio, metrics.calmar),
    "omega": Figure("Omega ratio", ratio, metrics.omega),
    "max_drawdown_length": Figure(
        "Max drawdown, rows", rows, "From the peak before the deepest fall until it is regained."
    ),
    "max_drawdown_days": Figure("Max drawdown, time", days, "The same in time."),
    "longest_drawdown": Figure(
        "Longest drawdown, rows", rows, "Longest stretch below an earlier peak."
    ),
    "longest_drawdown_days": Figure("Longest drawdown, time", days, "The same in time."),
    "value_at_risk": Figure("Value at risk", percent, metrics.value_at_risk),
    "cvar": Figure("Conditional value at risk", percent, metrics.cvar),
    "skew": Figure("Skewness", ratio, metrics.skew),
    "kurtosis": Figure("Excess kurtosis", ratio, metrics.kurtosis),
    "win_rate": Figure("Win rate", percent, round_trips.win_rate),
    "profit_factor": Figure("Profit factor", ratio, round_trips.profit_factor),
    "average_holding": Figure("Average holding, rows", rows, "Mean over the closed round trips."),
    "average_holding_days": Figure("Average holding, time", days, "The same in time."),
    "benchmark_return": Figure("Benchmark return", percent, "Total return of the benchmark."),
    "benchmark_sharpe": Figure("Benchmark Sharpe ratio", ratio, "Sharpe ratio of the benchmark."),
    "benchmark_drawdown": Figure(
        "Benchmark max drawdown", percent, "Max drawdown of the benchmark."
    ),
    "alpha": Figure("Alpha", percent, metrics.alpha),
    "beta": Figure("Beta", ratio, metrics.beta),
    "information_ratio": Figure("Information ratio", ratio, metrics.information_ratio),
}

#: The figure of a sweep's column that is no metric of the column alone.
DEFLATED = Figure(
    "Deflated Sharpe",
    ratio,
    "Probability that the true Sharpe ratio is above 0, given the independent trials of the sweep.",
)

#: Metrics at the top of reports.
HEADLINE = (
    "total_return",
    "annual_return",
    "sharpe",
    "max_drawdown",
    "volatility",
    "benchmark_return",
    "exposure",
    "win_rate",
    "n_round_trips",
    "fees",
)

#: Metrics of a year among them: of a shorter run they are extrapolated, and not at the top.
OF_A_YEAR = ("annual_return", "sharpe", "volatility")

#: Years below which a run is too short for these; a year may miss a holiday.
LEAST_YEARS = 0.98

#: The same metric of the benchmark, for some at the top.
OF_BENCHMARK = {
    "total_return": "benchmark_return",
    "sharpe": "benchmark_sharpe",
    "max_drawdown": "benchmark_drawdown",
}

#: Labels of the paths inside a bar.
PATH_NAMES = {"pessimistic": "pessimistic", "ohlc": "expected", "optimistic": "optimistic"}

#: Warning for `fill="same_close"`.
SEEN_PRICE = "Trades at a price the decision has seen."

#: Warning in a headline if errors of the data were accepted.
BAD_DATA = "The data has errors."


def figure_texts(values: Mapping[str, float | int], currency: str = "") -> dict[str, str]:
    """Return metrics as text with units, by name; those without a `Figure` are left out.

    Examples
    --------
    >>> figure_texts({"fees": 12.5, "exposure": 0.5}, "EUR")
    {'fees': '12.50 EUR', 'exposure': '50.00%'}
    """
    found = {name: FIGURES[name].text(x) for name, x in values.items() if name in FIGURES}
    amounts = (name for name in found if FIGURES[name].show is money and currency)
    return found | {name: f"{found[name]} {currency}" for name in amounts}


def headline_names(run: Run) -> tuple[str, ...]:
    """Return the metrics at the top; those of a year only if the run is as long."""
    short = run.years < LEAST_YEARS
    return tuple(name for name in HEADLINE if not (short and name in OF_A_YEAR))


def strategy_text(strategy: str, params: Mapping[str, Any]) -> str:
    """Return a strategy as it would be written: name and parameters."""
    return f"{strategy}({', '.join(f'{k}={v!r}' for k, v in params.items())})"


def known_sensitivity(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the total return by path and the break-even fee, as far as they have been computed."""
    if run.depends_on_path:
        for path, values in run.known_metrics_by_path.items():
            yield PATH_NAMES[path], FIGURES["total_return"].text(values["total_return"])
    if math.isfinite(run.known_break_even_bps):
        yield "break-even fee", f"{run.known_break_even_bps:,.2f} bps"


def headline(run: Run) -> str:
    """Return a result in one line."""
    text = figure_texts(run.metrics)
    seen = f". {SEEN_PRICE}" if run.settings.fill == "same_close" else ""
    if run.quality is not None and run.quality.errors:
        seen += f". {BAD_DATA}"
    known = "; ".join(f"{name} {value}" for name, value in known_sensitivity(run))
    sharpe = f"Sharpe {text['sharpe']}, " if "sharpe" in headline_names(run) else ""
    return (
        f"<Result: {strategy_text(run.strategy, run.params)}, return {text['total_return']}"
        f"{f' ({known})' if known else ''}, "
        f"{sharpe}max drawdown {text['max_drawdown']}, "
        f"{text['n_fills']} fills, digest {run.digest[:8]}{seen}>"
    )


def headline_html(run: Run) -> str:
    """Return a result as a small table for notebooks."""
    text = figure_texts(run.metrics, run.currency)
    cells = [(FIGURES[name].label, text[name]) for name in headline_names(run)]
    cells += [(name.capitalize(), value) for name, value in known_sensitivity(run)]
    head = "".join(f"<th>{escape(label)}</th>" for label, _ in cells)
    row = "".join(f"<td>{escape(value)}</td>" for _, value in cells)
    remarks = list(run.warnings)
    if run.settings.fill == "same_close":
        remarks.insert(0, SEEN_PRICE)
    bars = run.bars
    name = escape(strategy_text(run.strategy, run.params))
    caption = (
        f"<b>{name}</b> on {escape(bars.source or 'given bars')}, "
        f"{bars.start[:10]} to {bars.end[:10]}, digest {run.digest[:8]}"
    )
    notes = "".join(f"<div>⚠ {escape(remark)}</div>" for remark in remarks)
    return (
        f"<div>{caption}{notes}<table><thead><tr>{head}</tr></thead>"
        f"<tbody><tr>{row}</tr></tbody></table></div>"
    )
