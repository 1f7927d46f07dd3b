"""What users of pandas and of other languages call an operator, and what it is called here."""

from __future__ import annotations

from collections.abc import Iterable

from alphalab.errors import UnknownNameError

_WINDOWS = ("ts_mean", "ts_std", "ts_max")

#: Names of pandas, NumPy and charting languages that near spelling does not lead to an operator.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "apply": ("python_op",),
    "average": ("ts_mean",),
    "bfill": ("ffill",),
    "corr": ("ts_corr",),
    "cov": ("ts_cov",),
    "crossover": ("gt", "delay"),
    "cummax": ("ts_max",),
    "cumsum": ("ts_sum",),
    "diff": ("delta",),
    "ewm": ("ema", "wilder"),
    "expanding": _WINDOWS,
    "fillna": ("fill_nan", "ffill"),
    "highest": ("ts_max",),
    "isna": ("is_nan",),
    "isnull": ("is_nan",),
    "kurt": ("ts_kurt",),
    "lag": ("delay",),
    "lowest": ("ts_min",),
    "mask": ("where",),
    "max": ("ts_max", "maximum"),
    "mean": ("ts_mean", "cs_demean"),
    "median": ("ts_median",),
    "min": ("ts_min", "minimum"),
    "pct_change": ("returns",),
    "prod": ("ts_product",),
    "quantile": ("ts_quantile",),
    "rank": ("ts_rank", "cs_rank"),
    "resample": ("on",),
    "rma": ("wilder",),
    "roc": ("returns",),
    "roll": ("delay",),
    "rolling": _WINDOWS,
    "shift": ("delay",),
    "skew": ("ts_skew",),
    "sma": ("ts_mean",),
    "std": ("ts_std",),
    "stdev": ("ts_std",),
    "sum": ("ts_sum",),
    "var": ("ts_var",),
    "wma": ("ts_decay_linear",),
    "zscore": ("ts_zscore", "cs_zscore"),
}


def unknown_operator(name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error about an operator that does not exist, with what it is called here."""
    names = set(known)
    here = [other for other in OTHER_NAMES.get(name, ()) if other in names]
    if not here:
        return UnknownNameError("operator", name, names, fix="`alphalab ops` lists all.")
    calls = " or ".join(f"{other!r}" for other in here)
    error = UnknownNameError("operator", name, here, fix=f"`alphalab ops {here[0]}` explains it.")
    error.what = f"unknown operator {name!r}: here it is {calls}"
    error.rule = ""
    return error
