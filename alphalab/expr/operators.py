"""The built-in operators, one record each."""

from __future__ import annotations

from typing import Any

from alphalab.expr.registry import (
    CELL,
    CROSS,
    REGISTRY,
    SKIP,
    WINDOW,
    Family,
    Linear,
    Operator,
    Param,
    partial_form,
    register,
)

N = Param("n", integer=True, low=1)
SPAN, WILDER = Linear(0, 1), Linear(-1, 2)  # weights of the newest row: 2 / (n + 1), 1 / n
EXCHANGE = "By the clock of the asset's exchange; UTC without a calendar."
WILDER_1978 = "J. W. Wilder, New Concepts in Technical Trading Systems (1978)."
LAG = Param("n", integer=True, low=1, default=1)


def _add(
    name: str,
    inputs: str,
    doc: str,
    params: tuple[Param, ...],
    family: Family,
    kernel: str,
    *,
    rows: str = "1",
    state: str = "0",
    recursive: bool = False,
    span: Linear | None = None,
    unknown: str = CELL,
    infix: str = "",
    source: str = "",
    form_of: str = "",
) -> None:
    """Register an operator; `kernel` is a module of `kernels.operators`, or ``module:function``."""
    register(
        Operator(
            name=name,
            family=family,
            doc=doc,
            inputs=tuple(inputs.split()),
            params=params,
            rows=Linear.parse(rows),
            recursive=recursive,
            span=span,
            state=Linear.parse(state),
            unknown=unknown,
            infix=infix,
            source=source,
            form_of=form_of,
            update=kernel if ":" in kernel else f"{kernel}:{name}",
        )
    )


def _cell(name: str, inputs: str, doc: str, *params: Param, **more: Any) -> None:
    kernel = f"elementwise:{more.pop('function', name)}"
    _add(name, inputs, doc, params, "elementwise", kernel, **more)


def _window(
    name: str, inputs: str, doc: str, *params: Param, kernel: str = "window", **more: Any
) -> None:
    rule = {"rows": "n", "state": "n + 9", "unknown": WINDOW}
    _add(name, inputs, doc, params or (N,), "series", kernel, **{**rule, **more})


def _recursive(
    name: str, inputs: str, doc: str, *params: Param, kernel: str = "recursive", **more: Any
) -> None:
    rule = {"recursive": True, "unknown": SKIP}
    _add(name, inputs, doc, params, "series", kernel, **{**rule, **more})


def _cross(name: str, inputs: str, doc: str, *params: Param, kernel: str = "cross") -> None:
    _add(name, inputs, doc, params, "cross", kernel, unknown=CROSS)


def _source(name: str, doc: str, *inputs: str, family: Family = "source") -> None:
    register(Operator(name=name, family=family, doc=doc, inputs=inputs))


_source("column", "A named column of the bars: column('funding').")
_source("group", "Group label of each asset as a code: group('sector').")
_source("constant", "A number; written as the number itself.")
_source(
    "of",
    "The series of one asset, for all assets: of(close, 'SPY') or close.of('SPY').",
    "x",
    family="shape",
)
_source(
    "per_symbol",
    "One expression per asset, unknown for the rest: per_symbol({'A': x, 'B': y}).",
    family="shape",
)
_source(
    "on",
    "x on the bars of a coarser clock, known when they have closed: on('1h', x) or x.on('1h').",
    "x",
    family="shape",
)
_source(
    "on_traded",
    "x over the rows in which the asset trades, each asset by itself; unknown in the others.",
    "x",
    family="shape",
)
_source(
    "python_op", "A registered Python function of exactly the last `lookback` rows.", family="shape"
)

# Of the row's time, by the clock of the asset's exchange.
for _name, _doc in {
    "hour": "Hour of the row's time, 0 to 23.",
    "minute": "Minute of the row's time, 0 to 59.",
    "weekday": "Weekday of the row's time, Monday 0 to Sunday 6.",
    "month": "Month of the row's time, 1 to 12.",
    "session": "Date of the last session that opened before the row's time, days since 1970-01-01.",
}.items():
    _source(_name, f"{_doc} {EXCHANGE}", family="clock")

# Elementwise.
_cell("add", "x y", "Sum.", infix="+")
_cell("sub", "x y", "Difference.", infix="-")
_cell("mul", "x y", "Product.", infix="*")
_cell("div", "x y", "Quotient; x / 0 is infinite, 0 / 0 unknown.", infix="/")
_cell("power", "x y", "x to the power y.", infix="**")
_cell(
    "signed_power",
    "x y",
    "Absolute value of x to the power y, with the sign of x; signed_power(x, 2) keeps the order.",
)
_cell("neg", "x", "x times -1.", infix="-")
_cell("gt", "x y", "1 where x > y, else 0.", infix=">")
_cell("ge", "x y", "1 where x >= y, else 0.", infix=">=")
_cell("lt", "x y", "1 where x < y, else 0.", infix="<")
_cell("le", "x y", "1 where x <= y, else 0.", infix="<=")
_cell("eq", "x y", "1 where x equals y, else 0.", infix="==")
_cell("ne", "x y", "1 where x differs from y, else 0.", infix="!=")
_cell(
    "and_",
    "x y",
    "1 where both are true, else 0.",
    infix="&",
    unknown="0 where one is 0, else unknown where one is unknown",
)
_cell(
    "or_",
    "x y",
    "1 where at least one is true, else 0.",
    infix="|",
    unknown="1 where one is true, else unknown where one is unknown",
)
_cell("not_", "x", "1 where x is 0.", infix="~")
_cell(
    "where",
    "condition x y",
    "x where the condition is true, else y.",
    unknown="unknown where the condition is unknown",
)
_cell("abs", "x", "Absolute value.", function="abs_")
_cell("log", "x", "Natural logarithm; minus infinity for 0, unknown for a negative number.")
_cell("exp", "x", "e to the power x.")
_cell("sqrt", "x", "Square root; unknown for a negative number.")
_cell("sign", "x", "-1, 0 or 1.")
_cell("floor", "x", "Largest integer that is not above x.")
_cell("tanh", "x", "Hyperbolic tangent: x pressed into the range from -1 to 1.")
_cell("clip", "x", "x limited to the range from low to high.", Param("low"), Param("high"))
_cell("minimum", "x y", "The smaller of two.")
_cell("maximum", "x y", "The larger of two.")
_cell("is_nan", "x", "1 where x is unknown, else 0.", unknown="never unknown")
_cell(
    "fill_nan",
    "x",
    "x, or the value where x is unknown.",
    Param("value", default=0.0),
    unknown="replaced by the value",
)
_cell(
    "finite",
    "x",
    "x, or the value where x is unknown or infinite.",
    Param("value", default=0.0),
    unknown="replaced by the value",
)

# Past values of one asset.
_window("delay", "x", "x n rows ago.", LAG, rows="n + 1", unknown="passed on as it is")
_window("delta", "x", "x minus x n rows ago.", LAG, rows="n + 1", unknown=CELL)
_window("returns", "x", "x divided by x n rows ago, minus 1.", LAG, rows="n + 1", unknown=CELL)

# Windows of the last n rows, this row included.
_window("ts_sum", "x", "Sum.", state="2*n + 10")
_window("ts_mean", "x", "Arithmetic mean.", state="2*n + 10")
_window(
    "ts_std",
    "x",
    "Standard deviation, divisor n - 1; exactly 0 for a constant window.",
    state="2*n + 10",
)
_window("ts_var", "x", "Variance, divisor n - 1.", state="2*n + 10")
_window(
    "ts_zscore",
    "x",
    "This row's distance from the mean in standard deviations; unknown for a constant window.",
    state="2*n + 10",
)
_window(
    "ts_skew",
    "x",
    "Skewness, corrected for bias (G1).",
    Param("n", integer=True, low=3),
    state="3*n + 11",
)
_window(
    "ts_kurt",
    "x",
    "Excess kurtosis, corrected for bias (G2).",
    Param("n", integer=True, low=4),
    state="3*n + 11",
)
_window("ts_mad", "x", "Mean absolute deviation from the mean.", kernel="deviation", state="n + 8")
_window("ts_product", "x", "Product.")
_window("ts_decay_linear", "x", "Mean weighted n (this row) down to 1 (oldest).")
_window("ts_count", "x", "Number of rows where x is true.")
_window("ts_rank", "x", "Rank of this row among the n, ties averaged, divided by n: in (0, 1].")
_window("ts_min", "x", "Smallest value.", kernel="quantiles", state="n + 9")
_window("ts_max", "x", "Largest value.", kernel="quantiles", state="n + 9")
_window(
    "ts_argmin",
    "x",
    "Rows since the smallest value, ties go to the latest; 0 is this row.",
    kernel="quantiles",
    state="2*n + 10",
)
_window(
    "ts_argmax",
    "x",
    "Rows since the largest value, ties go to the latest; 0 is this row.",
    kernel="quantiles",
    state="2*n + 10",
)
_window("ts_median", "x", "Median.", kernel="quantiles", state="2*n + 10")
_window(
    "ts_quantile",
    "x",
    "Quantile q, linear between the two nearest values.",
    N,
    Param("q", low=0.0, high=1.0),
    kernel="quantiles",
    state="2*n + 10",
)
_window("ts_cov", "x y", "Covariance, divisor n - 1.", kernel="pair", state="5*n + 21")
_window(
    "ts_corr",
    "x y",
    "Correlation; unknown if either input is constant.",
    kernel="pair",
    state="5*n + 21",
)
_window(
    "ts_corr_or",
    "x y",
    "Correlation, or the value if either input is constant.",
    N,
    Param("value", default=0.0),
    kernel="pair",
    state="5*n + 21",
)
_window("ts_beta", "y x", "Slope of the regression of y on x.", kernel="pair", state="5*n + 21")
_window(
    "ts_residual",
    "y x",
    "This row's residual of the regression of y on x.",
    kernel="pair",
    state="5*n + 21",
)

# The same over windows that may hold unknown values.
for _name in ("sum", "mean", "std", "var", "zscore", "min", "max", "count"):
    _whole = REGISTRY[f"ts_{_name}"]
    _window(
        partial_form(_whole.name),
        "x",
        _whole.doc,
        N,
        Param("min_periods", integer=True, low=1),
        kernel=f"partial:{_whole.name}",
        state="n + 9",
        unknown="unknown while fewer than min_periods of the last n rows are known",
        form_of=_whole.name,
    )

# Recursive.
_recursive(
    "ema",
    "x",
    "Exponential mean of span n, weight 2 / (n + 1), started from the mean of the first n.",
    N,
    rows="n",
    state="2",
    span=SPAN,
)
_recursive(
    "wilder",
    "x",
    "Wilder's smoothing, weight 1 / n, started from the mean of the first n.",
    N,
    rows="n",
    state="2",
    span=WILDER,
    source=WILDER_1978,
)
_recursive(
    "rsi",
    "x",
    "Wilder's relative strength index, 0 to 100; unknown if x has not moved.",
    N,
    rows="n + 1",
    state="5",
    span=WILDER,
    source=WILDER_1978,
)
_recursive(
    "atr",
    "high low close",
    "Wilder's average true range.",
    N,
    rows="n + 1",
    state="4",
    span=WILDER,
    source=WILDER_1978,
)
_recursive(
    "latch",
    "enter exit",
    "1 from the row where enter is true until exit is true, else 0; exit wins.",
    state="1",
    unknown="unknown on a row whose unknown input could have changed it; such a row is skipped",
)
_recursive(
    "bars_since",
    "x",
    "Rows since x was true; 0 is this row.",
    state="1",
    unknown="unknown before the first, and from an unknown row to the next",
)

_recursive(
    "ffill",
    "x",
    "x, or its last known value of at most limit rows ago.",
    Param("limit", low=1.0, default=float("inf")),
    state="2",
    unknown="unknown before the first known value, and more than limit rows after the last",
)

_recursive("cum_sum", "x", "Sum of all rows so far.", state="2")
_recursive(
    "sum_since",
    "x start",
    "Sum from the last row where start was true, this row included.",
    state="3",
    unknown="unknown before the first start, and from a row whose start is unknown to the next; "
    "an unknown x gives unknown and adds nothing",
)
_recursive(
    "adaptive_mean",
    "x weight",
    "Exponential mean in which each row has its own weight, 0 to 1; it starts from x.",
    kernel="following",
    state="2",
    unknown="unknown where x or the weight is; a weight outside 0 to 1 is unknown",
    source="P. Kaufman, Smarter Trading (1995).",
)
_recursive(
    "ratchet",
    "x price",
    "x, but never lower than in the row before, until the price has been below it.",
    kernel="following",
    state="3",
)
_recursive(
    "parabolic_sar",
    "high low",
    "Wilder's stop and reverse: below the lows of a rise, above the highs of a fall.",
    Param("step", low=0.0, high=1.0, default=0.02),
    Param("limit", low=0.0, high=1.0, default=0.2),
    kernel="following",
    rows="2",
    state="7",
    source=WILDER_1978,
)

# Cross-section.
_cross("cs_rank", "x", "Rank among the assets, ties averaged, divided by their number: in (0, 1].")
_cross("cs_zscore", "x", "Distance from the row's mean in standard deviations (divisor n - 1).")
_cross("cs_mean", "x", "Mean of the row, the same for every known asset.")
_cross("cs_std", "x", "Standard deviation of the row, divisor n - 1.")
_cross("cs_demean", "x", "x minus the row's mean.")
_cross(
    "cs_bucket",
    "x",
    "Bucket of equal count among k, by rank: 1 has the lowest values; ties share one.",
    Param("k", integer=True, low=1),
)
_cross(
    "cs_scale",
    "x",
    "x scaled so that the absolute values sum to gross; zeros stay zeros.",
    Param("gross", low=0.0, default=1.0),
)
_cross(
    "cs_winsorize",
    "x",
    "x clipped to the row's quantiles limit and 1 - limit.",
    Param("limit", low=0.0, high=0.5, default=0.05),
)
_cross(
    "cs_neutralize", "x group", "x minus the mean of its group: cs_neutralize(x, group('sector'))."
)
_cross(
    "cs_top",
    "x",
    "1 for the k largest, else 0; ties go to the earlier symbol.",
    Param("k", integer=True, low=1),
)
_cross("cs_residual", "y x", "Residual of the row's regression of y on x over the assets.")

# Within each group of a row: group_rank(x, group('sector')).
_cross("group_mean", "x group", "Mean of its group.", kernel="groups")
_cross(
    "group_rank",
    "x group",
    "Rank within its group, ties averaged, divided by the group's number: in (0, 1].",
    kernel="groups",
)
_cross(
    "group_zscore",
    "x group",
    "Distance from the mean of its group in its standard deviations (divisor n - 1).",
    kernel="groups",
)
